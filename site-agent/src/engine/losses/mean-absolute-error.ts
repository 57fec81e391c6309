import { Arithmetic } from '../arithmetic.js';
import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { elementsOf, type Loss, type LossValue } from './loss.js';

/** Mean of |sigmoid(logit) − target| over all voxels; without a gradient where they are equal, as in PyTorch. */
export const meanAbsoluteError: Loss = { separable: true, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elementsOf(logits);
  const c = new Arithmetic(runtime);
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const difference = c.minus(prediction.keep(), target.keep());
  const sum = c.total(c.apply('Abs', difference.keep()));
  const slope = c.apply('SigmoidGrad', prediction, c.apply('Sign', difference));
  return { loss: (share * sum) / count, gradient: c.scale(slope, share / count) };
}
