import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { elements, scaleAndFree } from './arithmetic.js';
import type { Loss, LossValue } from './loss.js';

/** Mean of (sigmoid(logit) − target)² over all voxels: the restoration loss of Models Genesis. */
export const meanSquaredError: Loss = { separable: true, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elements(logits);
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const difference = runtime.runOne('Sub', FLOAT, [prediction, target]);
  const halfSum = runtime.takeNumber(runtime.runOne('L2Loss', FLOAT, [difference]));
  const slope = runtime.runOne('SigmoidGrad', FLOAT, [prediction, difference]);
  prediction.free();
  difference.free();
  return { loss: (share * 2 * halfSum) / count, gradient: scaleAndFree(runtime, slope, (share * 2) / count) };
}
