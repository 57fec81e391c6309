import { Arithmetic } from '../arithmetic.js';
import { elementType } from '../attributes.js';
import { reshape, reshapeAndFree } from '../ops/reshape.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import { type ClassLabels, firstForIgnored, type LabelOptions, readLabels, weighVoxels } from './class-labels.js';
import type { Loss, LossValue } from './loss.js';

const SPARSE = [elementType('T'), elementType('Tlabels', DATA_TYPE.int32)];

/**
 * Cross-entropy of the softmax over the classes, PyTorch's weighted mean: Σ w·(−log p) / Σ w, w the weight of the right class.
 * Nothing to learn (loss and gradient 0) when no voxel counts.
 */
export function crossEntropy(options: LabelOptions = {}): Loss {
  const { classWeights, ignoreLabel } = options;
  return {
    // The sum of the weights is the whole batch's.
    separable: classWeights === undefined && ignoreLabel === undefined,
    targetChannels: 1,
    evaluate: (runtime, logits, target, share) => evaluate(runtime, logits, target, { ...options, share }),
  };
}

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, options: LabelOptions & { share: number }): LossValue {
  const c = new Arithmetic(runtime);
  const classes = logits.shape[logits.shape.length - 1] ?? 1;
  const labels = readLabels(runtime, target, classes, options);
  try {
    const { weights, sum } = weighVoxels(runtime, labels, classes, options);
    const share = sum === 0 ? 0 : options.share / sum;
    const { losses, slopes } = voxelCrossEntropies(runtime, logits, labels);
    const [weighed, steep] =
      weights === undefined ? [losses, slopes] : [c.times(losses, weights.keep()), c.times(slopes, asColumn(runtime, weights))];
    const loss = c.total(weighed) * share;
    return { loss, gradient: c.scale(reshapeAndFree(runtime, steep, logits.shape), share) };
  } finally {
    labels.dispose();
  }
}

/** −log p of the right class, [rows], and its gradients, [rows, classes]; the caller owns both. Voxels that do not count too. */
export function voxelCrossEntropies(
  runtime: Runtime,
  logits: Tensor,
  { labels, counted }: ClassLabels,
): { losses: Tensor; slopes: Tensor } {
  const rows = reshape(runtime, logits, [labels.shape[0] ?? 0, logits.shape[logits.shape.length - 1] ?? 1]);
  const valid = counted === undefined ? labels.keep() : firstForIgnored(runtime, labels);
  const [losses, slopes] = runtime.run('SparseSoftmaxCrossEntropyWithLogits', SPARSE, [rows, valid], 2) as [Tensor, Tensor];
  rows.free();
  valid.free();
  return { losses, slopes };
}

/** [rows] → [rows, 1], taken over. */
export function asColumn(runtime: Runtime, values: Tensor): Tensor {
  return reshapeAndFree(runtime, values, [values.shape[0] ?? 0, 1]);
}
