import type { PickledValue, StorageReference } from './pickled-values.js';

/** One of the two forms in which PyTorch saves: the pickled value, and where the numbers lie that it refers to. */
export interface PytorchContainer {
  readonly format: 'zip' | 'legacy';
  readonly value: PickledValue;
  /** Position in the file of the storage's stored run; WEIGHTS_MALFORMED when the file has less than the storage claims. */
  place(storage: StorageReference): Promise<number>;
}

/** Pickles of checkpoints are well below a megabyte: the numbers lie beside them. */
export const PICKLE_BYTES_LIMIT = 16 << 20;
