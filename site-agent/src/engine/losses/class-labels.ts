import { FederationError } from '@consilium/shared/kernel';
import { Arithmetic } from '../arithmetic.js';
import { elementType, FLOAT, integers } from '../attributes.js';
import { castAndFree } from '../cast-tensor.js';
import { reshape } from '../ops/reshape.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import { elementsOf } from './loss.js';

export interface LabelOptions {
  /** One factor per class; all 1 by default. */
  readonly classWeights?: readonly number[] | undefined;
  /** Voxels with this label do not count. */
  readonly ignoreLabel?: number | undefined;
}

const GATHER = [elementType('Tparams'), elementType('Tindices', DATA_TYPE.int32), elementType('Taxis', DATA_TYPE.int32)];
const ONE_HOT = [elementType('T'), elementType('TI', DATA_TYPE.int32), integers('axis', -1)];

/** The right class of each voxel, one voxel per row. */
export interface ClassLabels {
  /** 32-bit integers [rows]; −1 where a voxel does not count. */
  readonly labels: Tensor;
  /** [rows]: 1, or 0 where a voxel does not count; absent when all count. */
  readonly counted?: Tensor;
  dispose(): void;
}

/** From a target of class numbers, which is only read; TASK_INVALID when it has other numbers than those of the classes. */
export function readLabels(runtime: Runtime, target: Tensor, classes: number, { ignoreLabel }: LabelOptions): ClassLabels {
  const c = new Arithmetic(runtime);
  const flat = reshape(runtime, target, [elementsOf(target)]);
  if (ignoreLabel === undefined) {
    requireClasses(runtime, flat, classes, [flat]);
    const labels = castAndFree(runtime, flat, DATA_TYPE.int32);
    return { labels, dispose: () => labels.free() };
  }
  const ignored = runtime.scalar(ignoreLabel);
  const differs = runtime.runOne('NotEqual', FLOAT, [flat, ignored]);
  ignored.free();
  const counted = castAndFree(runtime, differs, DATA_TYPE.float32);
  const known = c.times(flat, counted.keep());
  requireClasses(runtime, known, classes, [known, counted]);
  const labels = castAndFree(runtime, c.plus(known, c.shift(counted.keep(), -1)), DATA_TYPE.int32);
  return {
    labels,
    counted,
    dispose: () => {
      labels.free();
      counted.free();
    },
  };
}

/** What each voxel counts, [rows], and the sum of that; the tensor is the caller's, absent when all count 1. */
export function weighVoxels(
  runtime: Runtime,
  { labels, counted }: ClassLabels,
  classes: number,
  { classWeights }: LabelOptions,
): { weights?: Tensor; sum: number } {
  const c = new Arithmetic(runtime);
  if (classWeights === undefined) {
    return counted === undefined ? { sum: elementsOf(labels) } : { weights: counted.keep(), sum: c.total(counted.keep()) };
  }
  requireWeights(classWeights, classes);
  const table = runtime.tensor(Float32Array.from(classWeights), [classes]);
  const valid = counted === undefined ? labels.keep() : firstForIgnored(runtime, labels);
  const own = runtime.runOne('GatherV2', GATHER, [table, valid, runtime.integer(0)]);
  table.free();
  valid.free();
  const weights = counted === undefined ? own : c.times(own, counted.keep());
  return { weights, sum: c.total(weights.keep()) };
}

/** [rows, classes]: 1 at the right class, else 0; all 0 where a voxel does not count. The caller owns it. */
export function oneHot(runtime: Runtime, { labels }: ClassLabels, classes: number): Tensor {
  const [on, off] = [runtime.scalar(1), runtime.scalar(0)];
  const result = runtime.runOne('OneHot', ONE_HOT, [labels, runtime.integer(classes), on, off]);
  on.free();
  off.free();
  return result;
}

/** The labels with class 0 in place of −1, for operations that want a class everywhere; the caller owns them. */
export function firstForIgnored(runtime: Runtime, labels: Tensor): Tensor {
  return runtime.runOne('Maximum', [elementType('T', DATA_TYPE.int32)], [labels, runtime.integer(0)]);
}

/** Frees `held` before it throws. */
function requireClasses(runtime: Runtime, values: Tensor, classes: number, held: readonly Tensor[]): void {
  const extreme = (operation: string): number => {
    const attributes = [...FLOAT, elementType('Tidx', DATA_TYPE.int32)];
    return runtime.takeNumber(runtime.runOne(operation, attributes, [values, runtime.integers([0])]));
  };
  const [least, greatest] = [extreme('Min'), extreme('Max')];
  if (least >= 0 && greatest < classes) return;
  for (const tensor of held) tensor.free();
  const label = least >= 0 ? greatest : least;
  throw new FederationError('TASK_INVALID', `the label ${label} is none of the ${classes} classes`, {
    remedy: `Name the classes 0 to ${classes - 1} in the labels, or say which label to ignore.`,
    details: { label, classes },
  });
}

function requireWeights(classWeights: readonly number[], classes: number): void {
  if (classWeights.length === classes) return;
  throw new FederationError('ARGUMENT_INVALID', `${classWeights.length} class weights do not fit ${classes} classes`, {
    remedy: 'Give the loss one weight for each class, background included.',
  });
}
