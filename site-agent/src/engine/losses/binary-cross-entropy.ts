import { Arithmetic } from '../arithmetic.js';
import { FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { elementsOf, type Loss, type LossValue } from './loss.js';

/** Mean binary cross-entropy over all voxels and channels, from the logits: softplus(z) − z·t never overflows. */
export const binaryCrossEntropy: Loss = { separable: true, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elementsOf(logits);
  const c = new Arithmetic(runtime);
  const softplus = runtime.runOne('Softplus', FLOAT, [logits]);
  const sum = c.total(c.minus(softplus, c.times(logits.keep(), target.keep())));
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  return { loss: (share * sum) / count, gradient: c.scale(c.minus(prediction, target.keep()), share / count) };
}
