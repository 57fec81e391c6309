import type { TensorDtype } from '@consilium/shared/weights';
import type { FoldRecipe } from '../recipe.js';
import type { Piece } from './pieces.js';
import type { TensorTable } from './tensor-table.js';

/** Where a file's tensors are to be written, by their place in the manifest. */
export interface OutputTable {
  readonly descriptor: number;
  readonly starts: Float64Array;
}

/** The delta by which the next version is defined. */
export interface DeltaOutput extends OutputTable {
  /** By place in the manifest. */
  readonly dtypes: readonly TensorDtype[];
  /** Where the scales of integers start; NaN for all other tensors. */
  readonly scaleStarts: Float64Array;
  /** Where goes what the number format took; null when it is not carried on. */
  readonly residual: OutputTable | null;
}

/** Tensors that some updates lack, and the updates that hold them. */
export interface PartialTensors {
  /** By place in the manifest. */
  readonly isPartial: readonly boolean[];
  /** Places of the updates that hold them, in site order. */
  readonly holders: readonly number[];
  readonly divisor: number;
}

/** Noise on the sums, by each federated element's place among all of them. */
export interface NoisePlan {
  readonly key: Uint8Array;
  readonly deviation: number;
  /** Of each tensor's first element, by place in the manifest; NaN for tensors that are not federated. */
  readonly starts: Float64Array;
}

/** All that folding a piece takes: plain data that a thread can be given. Descriptors are open until the fold has ended. */
export interface FoldPlan {
  readonly recipe: FoldRecipe;
  readonly pieces: readonly Piece[];
  readonly isFederated: readonly boolean[];
  /** Elements of each tensor that share a scale when they are stored as integers. */
  readonly elementsPerScale: readonly number[];
  /** Elements that are read at a time; a multiple of the block. */
  readonly rangeElements: number;
  /** Elements of the updates that are in memory together. */
  readonly inputElements: number;
  readonly base: TensorTable;
  /** In site order. */
  readonly deltas: readonly TensorTable[];
  readonly weights: readonly number[];
  readonly divisor: number;
  /** For tensors that only some updates hold; null where all hold all. */
  readonly partial: PartialTensors | null;
  /** Null where the sums are to be exact. */
  readonly noise: NoisePlan | null;
  /** What sites changed their control variates by, in site order; empty unless the recipe has controls. */
  readonly controls: readonly TensorTable[];
  readonly controlDivisor: number;
  /** In the recipe's order; null in the first round. */
  readonly carried: readonly TensorTable[] | null;
  /** What the number format of earlier deltas took, to be added to what the recipe makes; null when there is none. */
  readonly residual: TensorTable | null;
  readonly output: OutputTable;
  /** In the recipe's order. */
  readonly carriedOutputs: readonly OutputTable[];
  /** Null for a version that is what the recipe makes, in 32 bits. */
  readonly delta: DeltaOutput | null;
}
