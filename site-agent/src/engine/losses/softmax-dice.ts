/**
 * Soft Dice over the classes of a softmax, as nnU-Net trains with (Isensee et al., Nature Methods 2021; Milletari et al., 3DV
 * 2016): the mean of 1 − (2Σpy + smoothing) / (Σp + Σy + smoothing). nnU-Net leaves out the 1, which changes no gradient.
 */
import { Arithmetic } from '../arithmetic.js';
import { FLOAT } from '../attributes.js';
import { throughSoftmax } from '../ops/softmax.js';
import { reshapeAndFree } from '../ops/reshape.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { type ClassLabels, type LabelOptions, oneHot, readLabels } from './class-labels.js';
import { diceOfSums, type DiceSums } from './dice-of-sums.js';
import type { Loss, LossValue } from './loss.js';

export interface SoftmaxDiceOptions {
  /** True: class 0 counts like the others; left out by default, as in nnU-Net. */
  readonly background?: boolean | undefined;
  /** 1e-5 by default, as in nnU-Net. */
  readonly smoothing?: number | undefined;
  /** Sums over all voxels of the batch, by default, or of each example, whose losses are averaged. */
  readonly over?: 'batch' | 'example' | undefined;
  /** Voxels with this label do not count. */
  readonly ignoreLabel?: number | undefined;
}

export function softmaxDice(options: SoftmaxDiceOptions = {}): Loss {
  return {
    separable: options.over === 'example',
    targetChannels: 1,
    evaluate: (runtime, logits, target, share) => evaluate(runtime, logits, target, { ...options, share }),
  };
}

interface Volumes {
  /** [examples or 1, voxels, classes] */
  readonly probability: Tensor;
  readonly right: Tensor;
  /** [examples or 1, voxels, 1]; absent when all count. */
  readonly counted?: Tensor;
}

function evaluate(runtime: Runtime, logits: Tensor, target: Tensor, options: SoftmaxDiceOptions & { share: number }): LossValue {
  const { background = false, smoothing = 1e-5, share } = options;
  const c = new Arithmetic(runtime);
  const classes = logits.shape[logits.shape.length - 1] ?? 1;
  const volumes = layOut(runtime, logits, target, options);
  const { probability, right, counted } = volumes;
  const counts = (index: number): boolean => background || index % classes !== 0;
  const { loss, factor, summand } = diceOfSums(sumsOf(runtime, volumes), smoothing, share, counts);
  const each = [factor.length / classes, 1, classes];
  const slope = c.plus(c.times(right, runtime.tensor(factor, each)), runtime.tensor(summand, each));
  const gradient = throughSoftmax(c, probability, counted === undefined ? slope : c.times(slope, counted));
  return { loss, gradient: reshapeAndFree(runtime, gradient, logits.shape) };
}

function layOut(runtime: Runtime, logits: Tensor, target: Tensor, options: SoftmaxDiceOptions & LabelOptions): Volumes {
  const [examples, classes] = [logits.shape[0] ?? 1, logits.shape[logits.shape.length - 1] ?? 1];
  const labels = readLabels(runtime, target, classes, options);
  const parts = options.over === 'example' ? examples : 1;
  const shaped = (tensor: Tensor, width: number): Tensor =>
    reshapeAndFree(runtime, tensor, [parts, (labels.labels.shape[0] ?? 0) / parts, width]);
  const volumes = {
    probability: shaped(runtime.runOne('Softmax', FLOAT, [logits]), classes),
    right: shaped(oneHot(runtime, labels, classes), classes),
    ...countedOf(labels, shaped),
  };
  labels.dispose();
  return volumes;
}

function countedOf({ counted }: ClassLabels, shaped: (tensor: Tensor, width: number) => Tensor): { counted?: Tensor } {
  return counted === undefined ? {} : { counted: shaped(counted.keep(), 1) };
}

function sumsOf(runtime: Runtime, { probability, right, counted }: Volumes): DiceSums {
  const c = new Arithmetic(runtime);
  const sums = (tensor: Tensor): Float32Array => {
    const perClass = c.sum(tensor, [1]);
    const values = runtime.read(perClass);
    perClass.free();
    return values;
  };
  return {
    overlap: sums(c.times(probability.keep(), right.keep())),
    predicted: sums(counted === undefined ? probability.keep() : c.times(probability.keep(), counted.keep())),
    wanted: sums(right.keep()),
  };
}
