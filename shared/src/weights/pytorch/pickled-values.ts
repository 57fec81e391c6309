/** What a checkpoint's pickle may hold: containers, text, numbers, and references to tensors whose numbers lie elsewhere. */

/** Element types of PyTorch's storages by the names of their classes. */
export const STORAGE_DTYPES = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
} as const;
export type TorchDtype = (typeof STORAGE_DTYPES)[keyof typeof STORAGE_DTYPES];

export const TORCH_DTYPE_BYTES: Readonly<Record<TorchDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** A run of elements somewhere in the file, as the pickle claims it; whether the file has them is checked when they are read. */
export class StorageReference {
  constructor(
    readonly key: string,
    readonly dtype: TorchDtype,
    readonly elements: number,
    /** Where it begins within the stored run of that key. */
    readonly firstElement = 0,
  ) {}
}

/** A view of a storage: element (i, j, …) lies at offset + i × stride 0 + j × stride 1 …; within the storage's claimed size. */
export class TensorReference {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A name that the pickle loads and that is on the list of known ones. */
export class KnownGlobal {
  constructor(
    readonly name: string,
    /** What calling it gives; undefined for what is only named, such as the class of a storage. */
    readonly call?: (args: PickledTuple, spend: Spend) => PickledValue,
  ) {}
}

/** Counts work that one operation causes beyond itself; throws when a pickle causes more than any checkpoint would. */
export type Spend = (steps: number) => void;

export class PickledList {
  readonly items: PickledValue[] = [];
}

export type PickledTuple = readonly PickledValue[];
export type PickledKey = string | number | bigint | boolean | null;
export type PickledDict = Map<PickledKey, PickledValue>;

/** Lists and dicts may hold themselves: never walk a value to its bottom. */
export type PickledValue =
  PickledKey | PickledList | PickledTuple | PickledDict | StorageReference | TensorReference | KnownGlobal;

export function isTuple(value: PickledValue | undefined): value is PickledTuple {
  return Array.isArray(value);
}
