import { Arithmetic } from '../arithmetic.js';
import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { elementsOf, type Loss, type LossValue } from './loss.js';

/** Mean of (sigmoid(logit) − target)² over all voxels: the restoration loss of Models Genesis. */
export const meanSquaredError: Loss = { separable: true, evaluate: ofSigmoid };

/** Mean of (logit − target)² over all voxels, for targets of any size. */
export const linearMeanSquaredError: Loss = { separable: true, evaluate: ofLogits };

function ofSigmoid(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elementsOf(logits);
  const c = new Arithmetic(runtime);
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const difference = c.minus(prediction.keep(), target.keep());
  const halfSum = runtime.takeNumber(runtime.runOne('L2Loss', FLOAT, [difference]));
  const slope = c.apply('SigmoidGrad', prediction, difference);
  return { loss: (share * 2 * halfSum) / count, gradient: c.scale(slope, (share * 2) / count) };
}

function ofLogits(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elementsOf(logits);
  const c = new Arithmetic(runtime);
  const difference = c.minus(logits.keep(), target.keep());
  const halfSum = runtime.takeNumber(runtime.runOne('L2Loss', FLOAT, [difference]));
  return { loss: (share * 2 * halfSum) / count, gradient: c.scale(difference, (share * 2) / count) };
}
