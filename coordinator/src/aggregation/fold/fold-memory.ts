import { LANES, openKernels, paddedCount, type RangeKernels } from '../kernels/range-kernels.js';
import { PIECE_ELEMENTS } from './pieces.js';

/** Elements of a range when there is room for it: with four updates beside the sums it stays in a core's own cache. */
export const RANGE_ELEMENTS = 1 << 14;

/** Elements of all updates of a range together, where all of them are looked at at once: 1 MiB. */
export const INPUT_ELEMENTS = 1 << 18;

/** Tensors that a recipe may carry for each parameter. */
const CARRIED = 2;

/** Finished pieces that wait for their turn to be digested, for each thread. */
export const SLOTS = 3;

/** The memory of one thread that folds: about 3 MiB, with a delta almost 4, whatever the model, allocated once. */
export interface FoldMemory {
  readonly kernels: RangeKernels;
  readonly sums: Float64Array;
  readonly base: Float32Array;
  /** What a recipe makes of a range, where that is not yet the next version. */
  readonly wanted: Float32Array;
  readonly carried: readonly Float32Array[];
  readonly inputs: Float32Array;
  /** Stored bytes before they are decoded. */
  readonly stored: Uint8Array;
  readonly slots: readonly Float32Array[];
  readonly delta: DeltaMemory;
}

/** Room for a piece of the delta by which a version may be defined. Takes memory only once it is used. */
export interface DeltaMemory {
  readonly differences: Float32Array;
  readonly decoded: Float32Array;
  /** In any number format. */
  readonly encoded: Uint8Array;
}

/** Has room for {@link INPUT_ELEMENTS}, or for more where one block of every update takes more. */
export function openFoldMemory(elementsNeeded: number): FoldMemory {
  const inputElements = Math.max(INPUT_ELEMENTS, elementsNeeded);
  const slotElements = PIECE_ELEMENTS + LANES;
  const rangeBytes = 4 * RANGE_ELEMENTS;
  const bytes = rangeBytes * (2 + 1 + 1 + CARRIED + 1) + 4 * inputElements + 4 * slotElements * SLOTS + 3 * 4 * PIECE_ELEMENTS;
  const kernels = openKernels(bytes);
  let place = 0;
  const take = (elements: number): Float32Array => {
    const array = new Float32Array(kernels.buffer, place, elements);
    place += array.byteLength;
    return array;
  };
  const sums = new Float64Array(kernels.buffer, take(2 * RANGE_ELEMENTS).byteOffset, RANGE_ELEMENTS);
  const stored = bytesOf(take(RANGE_ELEMENTS));
  return {
    kernels,
    sums,
    base: take(RANGE_ELEMENTS),
    wanted: take(RANGE_ELEMENTS),
    carried: Array.from({ length: CARRIED }, () => take(RANGE_ELEMENTS)),
    inputs: take(inputElements),
    stored,
    slots: Array.from({ length: SLOTS }, () => take(slotElements)),
    delta: { differences: take(PIECE_ELEMENTS), decoded: take(PIECE_ELEMENTS), encoded: bytesOf(take(PIECE_ELEMENTS)) },
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The first `count` elements of an array from `from` on, with zeros behind them up to a whole turn of the kernels' loops. */
export function paddedView(array: Float32Array, from: number, count: number): Float32Array {
  const view = array.subarray(from, from + paddedCount(count));
  view.fill(0, count);
  return view;
}
