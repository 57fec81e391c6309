import type { Direction } from '../runtime/runtime.js';

/** Where an operation, or a piece of memory, belongs. */
export interface Place {
  /** Empty outside the network. */
  readonly layer: string;
  readonly operation: string;
  readonly direction: Direction;
}

/** Where memory belongs that was there before the step. */
export const STATE: Place = { layer: 'weights and optimizer', operation: 'weights and optimizer', direction: 'forward' };

/** One call of TensorFlow in a recorded step: an operation, or createTensor, readTensor, deleteTensor. */
export interface OperationRecord extends Place {
  /** Since the step began. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Bytes of all tensors and variables after the call; shared memory counts once. */
  readonly tensorBytes: number;
  /** Resident memory of the process after the call: tensors, library, and what kernels hold for themselves. */
  readonly residentBytes: number;
}

/** Bytes that were alive when a step's tensors needed most memory, and who made them. */
export interface MemoryShare extends Place {
  readonly bytes: number;
}

/** One step as it happened. */
export interface StepRecord {
  readonly calls: readonly OperationRecord[];
  /** Without the time that recording took. What is not in a call is JavaScript. */
  readonly stepMs: number;
  /** The most bytes of tensors and variables at any moment of the step. */
  readonly peakTensorBytes: number;
  /** What they were: adds up to the peak. */
  readonly peakShares: readonly MemoryShare[];
}
