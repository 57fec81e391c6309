import { elementType, flag, FLOAT } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import { elements, scaleAndFree } from './arithmetic.js';
import type { Loss, LossValue } from './loss.js';

const OVER_ALL = [elementType('T'), elementType('Tidx', DATA_TYPE.int32), flag('keep_dims', false)];

/** Mean binary cross-entropy over all voxels and channels, from the logits: softplus(z) − z·t never overflows. */
export const binaryCrossEntropy: Loss = { separable: true, evaluate };

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue {
  const count = elements(logits);
  const softplus = runtime.runOne('Softplus', FLOAT, [logits]);
  const product = runtime.runOne('Mul', FLOAT, [logits, target]);
  const losses = runtime.runOne('Sub', FLOAT, [softplus, product]);
  const sum = runtime.takeNumber(runtime.runOne('Sum', OVER_ALL, [losses, runtime.integers([0, 1, 2, 3, 4])]));
  const prediction = runtime.runOne('Sigmoid', FLOAT, [logits]);
  const difference = runtime.runOne('Sub', FLOAT, [prediction, target]);
  for (const tensor of [softplus, product, losses, prediction]) tensor.free();
  return { loss: (share * sum) / count, gradient: scaleAndFree(runtime, difference, share / count) };
}
