/** Focal losses (Lin et al., ICCV 2017): cross-entropy that fades for voxels which are right already. */
import { Arithmetic } from '../arithmetic.js';
import { reshapeAndFree } from '../ops/reshape.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { type LabelOptions, readLabels, weighVoxels } from './class-labels.js';
import { asColumn, voxelCrossEntropies } from './cross-entropy.js';
import { elementsOf, type Loss, type LossValue } from './loss.js';

/** Stands in for a miss of zero, whose negative powers would be infinite: there the loss is zero. */
const LEAST_MISS = 1e-30;

export interface FocalOptions {
  /** How fast it fades; 2 by default, 0 for none. */
  readonly gamma?: number | undefined;
  /** Weight of the positive voxels, that of the others being 1 − alpha; 0.25 by default, null for none. */
  readonly alpha?: number | null | undefined;
}

/**
 * Of each output's sigmoid, the mean over all outputs, as torchvision's: αₜ · (1 − pₜ)^γ · cross-entropy, pₜ the probability of
 * what is right. Targets from 0 to 1.
 */
export function sigmoidFocal({ gamma = 2, alpha = 0.25 }: FocalOptions = {}): Loss {
  return {
    separable: true,
    evaluate: (runtime, logits, target, share) => ofSigmoid(runtime, logits, target, { gamma, alpha, share }),
  };
}

interface SigmoidFocal {
  readonly gamma: number;
  readonly alpha: number | null;
  readonly share: number;
}

function ofSigmoid(runtime: Runtime, logits: Tensor, target: Tensor, { gamma, alpha, share }: SigmoidFocal): LossValue {
  const c = new Arithmetic(runtime);
  const wrongness = c.shift(c.scale(target.keep(), -1), 1); // 1 − t
  const against = c.apply('Neg', logits.keep());
  /** t · f(−z) + (1 − t) · f(z): without the cancellations of the shorter forms */
  const mixed = (operation: string): Tensor =>
    c.plus(
      c.times(target.keep(), c.apply(operation, against.keep())),
      c.times(wrongness.keep(), c.apply(operation, logits.keep())),
    );
  const entropy = mixed('Softplus');
  const miss = c.apply('Maximum', mixed('Sigmoid'), runtime.scalar(LEAST_MISS)); // 1 − pₜ
  const fading = c.apply('Pow', miss.keep(), runtime.scalar(gamma));
  const weight = alpha === null ? undefined : c.shift(c.scale(target.keep(), 2 * alpha - 1), 1 - alpha);
  const weighed = weight === undefined ? fading : c.times(fading, weight);

  const count = elementsOf(logits);
  const loss = (c.total(c.times(weighed.keep(), entropy.keep())) * share) / count;
  // dL/dz = α · miss^γ · ((p − t) + γ · entropy · (1 − 2t) · p · (1 − p) / miss)
  const prediction = c.apply('Sigmoid', logits.keep());
  const flat = c.times(prediction.keep(), c.apply('Sigmoid', against));
  const turn = c.times(c.minus(wrongness, target.keep()), c.apply('RealDiv', flat, miss));
  const slope = c.plus(c.minus(prediction, target.keep()), c.times(c.scale(entropy, gamma), turn));
  return { loss, gradient: c.scale(c.times(weighed, slope), share / count) };
}

export interface SoftmaxFocalOptions extends LabelOptions {
  /** How fast it fades; 2 by default, 0 for none. */
  readonly gamma?: number | undefined;
}

/** Of the softmax over the classes: w · (1 − p)^γ · (−log p) of the right class, the mean over the voxels that count. */
export function softmaxFocal({ gamma = 2, ...options }: SoftmaxFocalOptions = {}): Loss {
  return {
    separable: options.ignoreLabel === undefined,
    targetChannels: 1,
    evaluate: (runtime, logits, target, share) => ofSoftmax(runtime, logits, target, { ...options, gamma, share }),
  };
}

function ofSoftmax(
  runtime: Runtime,
  logits: Tensor,
  target: Tensor,
  options: LabelOptions & { gamma: number; share: number },
): LossValue {
  const { gamma } = options;
  const c = new Arithmetic(runtime);
  const classes = logits.shape[logits.shape.length - 1] ?? 1;
  const labels = readLabels(runtime, target, classes, options);
  try {
    const { weights } = weighVoxels(runtime, labels, classes, options);
    const count = labels.counted === undefined ? elementsOf(target) : c.total(labels.counted.keep());
    const share = count === 0 ? 0 : options.share / count;
    const { losses, slopes } = voxelCrossEntropies(runtime, logits, labels);
    const missing = c.apply('Neg', c.apply('Expm1', c.apply('Neg', losses.keep()))); // 1 − p, from −log p
    const miss = c.apply('Maximum', missing, runtime.scalar(LEAST_MISS));
    const fading = c.apply('Pow', miss.keep(), runtime.scalar(gamma));
    const weighed = weights === undefined ? fading : c.times(fading, weights);
    const loss = c.total(c.times(weighed.keep(), losses.keep())) * share;
    // d/dz = w · (1 − p)^γ · (1 + γ · p · (−log p) / (1 − p)) times the gradient of the cross-entropy
    const probability = c.apply('Exp', c.apply('Neg', losses.keep()));
    const turn = c.scale(c.apply('RealDiv', c.times(probability, losses), miss), gamma);
    const steep = c.times(slopes, asColumn(runtime, c.times(weighed, c.shift(turn, 1))));
    return { loss, gradient: c.scale(reshapeAndFree(runtime, steep, logits.shape), share) };
  } finally {
    labels.dispose();
  }
}
