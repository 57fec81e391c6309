/** TensorFlow's batch-norm operation over rows [1, rows, z, channels], with their own statistics or with given ones. */
import { invariant } from '@consilium/shared/kernel';
import { elementType, flag, integers, NATIVE_KERNEL, real, SAME_TYPE, text } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import type { OperationAttribute } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';

export interface FusedNorm {
  readonly epsilon: number;
  /** True: the rows' own statistics; false: those given. */
  readonly own: boolean;
  /** With own statistics: their weight in those that come out, beside the given ones. */
  readonly share?: number;
  /** Followed by ReLU. */
  readonly rectify: boolean;
}

export interface FusedNormResult {
  readonly normalised: Tensor;
  /** With own statistics: the mean and the unbiased variance, mixed with the given ones. */
  readonly mean: Tensor;
  readonly variance: Tensor;
  /** What {@link fusedNormGradient} wants to have back for rows with their own statistics. */
  readonly saved: readonly Tensor[];
}

/** All results are the caller's; inputs are only read: [scale, offset, mean, variance] of 32-bit floats, each [channels]. */
export function fusedNorm(runtime: Runtime, rows: Tensor, inputs: readonly Tensor[], options: FusedNorm): FusedNormResult {
  const attributes = [...describe(rows, options), real('exponential_avg_factor', options.share ?? 1)];
  const fused = options.rectify && runtime.runsNative('normaliseRectify', rows.dataType);
  const results = fused
    ? runtime.run('_MklNativeFusedBatchNormEx', [...attributes, ...RECTIFIED], [rows, ...inputs], 6)
    : runtime.run('FusedBatchNormV3', attributes, [rows, ...inputs], 6);
  const [normalised, mean, variance, savedMean, savedVariance, reserve] = results;
  invariant(normalised && mean && variance && savedMean && savedVariance && reserve, 'a norm has six results');
  if (!options.rectify) return { normalised, mean, variance, saved: [savedMean, savedVariance, reserve] };
  if (!fused) {
    const rectified = runtime.runOne('Relu', SAME_TYPE(normalised), [normalised]);
    normalised.free();
    return { normalised: rectified, mean, variance, saved: [savedMean, savedVariance, reserve] };
  }
  reserve.free(); // marks of where the ReLU cut, as large as half the rows; the gradient is masked by the output instead
  return { normalised, mean, variance, saved: [savedMean, savedVariance, runtime.nothing().keep()] };
}

/** Gradients of the rows, the scale and the offset; inputs are only read. `saved`: from {@link fusedNorm}, or given statistics. */
export function fusedNormGradient(
  runtime: Runtime,
  rows: Tensor,
  slope: Tensor,
  inputs: { readonly scale: Tensor; readonly saved: readonly Tensor[] },
  options: FusedNorm,
): { rows: Tensor; scale: Tensor; offset: Tensor } {
  const read = [slope, rows, inputs.scale, ...inputs.saved];
  const results = runtime.run('FusedBatchNormGradV3', describe(rows, options), read, 5);
  const [inputGradient, scale, offset, ...empty] = results;
  for (const tensor of empty) tensor.free();
  invariant(inputGradient && scale && offset, 'the gradient of a norm has three parts');
  return { rows: inputGradient, scale, offset };
}

const RECTIFIED = [integers('num_side_inputs', 0), text('activation_mode', 'Relu'), NATIVE_KERNEL];

function describe(rows: Tensor, { epsilon, own }: FusedNorm): OperationAttribute[] {
  return [
    elementType('T', rows.dataType),
    elementType('U'),
    real('epsilon', epsilon),
    text('data_format', 'NHWC'),
    flag('is_training', own),
  ];
}
