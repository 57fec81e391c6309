import { castAndFree, castTensor } from '../cast-tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import { joinAndFree, splitTensor } from './concatenation.js';
import { reshapeAndFree } from './reshape.js';

/** How a tensor is cut for TensorFlow's norm, which wants [1, rows, z, channels] and treats all but the channels alike. */
export interface NormRows {
  /** Rows of each part; statistics never mix parts. */
  readonly counts: readonly number[];
  readonly z: number;
  readonly channels: number;
}

/** One part for the whole batch, or one for each example; shapes [examples, …, channels]. */
export function normRows(shape: readonly number[], perExample: boolean): NormRows {
  const [examples, channels] = [shape[0] ?? 1, shape[shape.length - 1] ?? 1];
  const z = shape.length > 2 ? (shape[shape.length - 2] as number) : 1;
  const rows = shape.slice(1, -2).reduce((product, side) => product * side, 1);
  return { counts: perExample ? new Array<number>(examples).fill(rows) : [examples * rows], z, channels };
}

/** The tensor, which is only read, as new parts of the given element type; where the type is its own, they share its memory. */
export function cutRows(runtime: Runtime, tensor: Tensor, { counts, z, channels }: NormRows, dataType: number): Tensor[] {
  const cast = castTensor(runtime, tensor, dataType);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (counts.length === 1) return [reshapeAndFree(runtime, cast, [1, all, z, channels])];
  const flat = reshapeAndFree(runtime, cast, [all, z, channels]); // parts along the first side are views
  const parts = splitTensor(runtime, flat, counts, 0);
  flat.free();
  return parts.map((part, i) => reshapeAndFree(runtime, part, [1, counts[i] as number, z, channels]));
}

/** Frees the parts and gives the whole in its shape and element type. */
export function joinRows(runtime: Runtime, parts: readonly Tensor[], shape: readonly number[], dataType: number): Tensor {
  const joined = joinAndFree(runtime, parts, 1);
  return castAndFree(runtime, reshapeAndFree(runtime, joined, shape), dataType);
}
