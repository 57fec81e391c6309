/**
 * The native addon of @tensorflow/tfjs-node-gpu, as far as we call it. It is a thin layer over TensorFlow's eager C API:
 * every call runs to its end before it returns and blocks the event loop, so only the trainer process loads it.
 */
export interface TensorflowBinding {
  /**
   * Makes a tensor and returns its id. The tensor may share memory with `values`: never write to that array again.
   * The element type must fit: Float32Array for float32, Int32Array for int32 (and, two words a value, for int64),
   * Uint8Array for bool and uint8, an array of Uint8Array for string. Other types are made with the operation Cast.
   */
  createTensor(shape: readonly number[], dataType: number, values: TensorValues | readonly Uint8Array[]): number;
  /** Frees the tensor; its id is never used again. Throws when the id is unknown. */
  deleteTensor(id: number): void;
  /** A copy of the values, for float32, complex64 (pairs), int32, int64 (BigInt64Array), bool and string only. */
  tensorDataSync(id: number): TensorValues | BigInt64Array | readonly Uint8Array[];
  /**
   * Runs one operation. A list input is given by its members one after the other. The caller owns every output and
   * deletes it; `outputCount` is exact, also for outputs that nobody reads. Throws an Error with TensorFlow's own words.
   */
  executeOp(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputIds: readonly number[],
    outputCount: number,
  ): TensorMetadata[];
  /** True when new tensors are made on a GPU. */
  isUsingGpuDevice(): boolean;
  /** Tensors made and not yet deleted: what the leak tests count. */
  getNumOfTensors(): number;
  readonly TF_Version: string;
}

/** Typed arrays that the binding reads and writes. */
export type TensorValues = Float32Array | Int32Array | Uint8Array;

/** One output of an operation. */
export interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** One attribute of an operation; `type` is a value of {@link ATTRIBUTE_TYPE}, and lists are arrays of that type. */
export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean | string | readonly number[] | readonly boolean[];
}

/** TF_DataType of TensorFlow's C API. */
export const DATA_TYPE = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
  uint64: 23,
} as const;

/** TF_AttrType of TensorFlow's C API. A shape attribute is an array of dimensions. */
export const ATTRIBUTE_TYPE = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const;
