import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

/** What every way of normalising needs. */
export interface NormSettings {
  readonly runtime: Runtime;
  readonly scale: Parameter;
  readonly offset: Parameter;
  readonly epsilon: number;
  /** Followed by ReLU. */
  readonly rectify: boolean;
}

/** One way of normalising rows [1, rows, z, channels]. */
export interface NormKernel {
  /** Element type that rows of the given type are brought to. */
  rowType(dataType: number, channels: number): number;
  /** Only reads the rows; `gathers` is false when the same rows are normalised again. */
  forward(rows: Tensor, gathers: boolean): NormPass;
  /** The rows' gradient; frees rows, slope and what was kept. */
  backward(rows: Tensor, slope: Tensor, kept: readonly Tensor[]): Tensor;
}

export interface NormPass {
  readonly normalised: Tensor;
  readonly kept: readonly Tensor[];
}

/** oneDNN's norm takes nine times as long in bfloat16 when the channels do not fill its vectors. */
const BFLOAT16_CHANNELS = 16;

/** The tensor's own type where the operation is good in it, else 32-bit floats. */
export function fastRowType(dataType: number, channels: number): number {
  return dataType === DATA_TYPE.bfloat16 && channels % BFLOAT16_CHANNELS !== 0 ? DATA_TYPE.float32 : dataType;
}
