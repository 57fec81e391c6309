/**
 * Batch normalisation (Ioffe and Szegedy, ICML 2015) or instance normalisation (Ulyanov et al., arXiv 1607.08022), followed by
 * ReLU; always with the statistics of the given tensor, never with running ones.
 */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { byType, elementType, flag, integers, NATIVE_KERNEL, real, SAME_TYPE, text } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Parameter } from '../parameters.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { joinAndFree, splitTensor } from './concatenation.js';
import { reshapeAndFree } from './reshape.js';

/** PyTorch's default for batch and instance norm. */
const EPSILON = 1e-5;

const STATISTICS = byType((type) => [
  elementType('T', type),
  elementType('U'),
  real('epsilon', EPSILON),
  text('data_format', 'NHWC'),
  flag('is_training', true),
]);
const FORWARD = byType((type) => [...STATISTICS({ dataType: type }), real('exponential_avg_factor', 1)]);
const FORWARD_RECTIFIED = byType((type) => [
  ...FORWARD({ dataType: type }),
  integers('num_side_inputs', 0),
  text('activation_mode', 'Relu'),
  NATIVE_KERNEL,
]);
const ROW_AXIS = 1;
/** oneDNN's norm takes nine times as long in bfloat16 when the channels do not fill its vectors. */
const BFLOAT16_CHANNELS = 16;

/**
 * ReLU(scale · (x − mean) / √(variance + 1e-5) + offset), statistics per channel over all voxels of all examples (batch norm),
 * or of each example by itself (instance norm). The output is of the tape's type.
 */
export function normaliseRectify(
  tape: Tape,
  input: Activation,
  scale: Parameter,
  offset: Parameter,
  statisticsOver: 'batch' | 'instance',
): Activation {
  const { runtime } = tape;
  const { shape } = input;
  const { rows, groups } = takeGroups(runtime, input, statisticsOver);
  const passes = groups.map((group) => forward(runtime, group, scale, offset));
  const whole = (parts: readonly Tensor[], dataType = tape.dataType): Tensor =>
    castAndFree(runtime, reshapeAndFree(runtime, joinAndFree(runtime, parts, ROW_AXIS), shape), dataType);
  const output = whole(passes.map((pass) => pass.rectified));
  const remakes = tape.remakes(output);
  const remake = (): Tensor => whole(groups.map((group) => rectifiedAgain(runtime, group, scale, offset)));
  const held = [...groups, ...passes.flatMap((pass) => pass.statistics), ...(tape.recording && !remakes ? [output.keep()] : [])];
  const activation = tape.push(
    output,
    held,
    (gradient) => {
      const rectified = remakes ? activation.reclaim() : output;
      const masked = runtime.runOne('ReluGrad', SAME_TYPE(gradient), [gradient, rectified]);
      gradient.free();
      rectified.free();
      const slopes = takeRows(runtime, masked, rows, groups[0]?.dataType ?? input.dataType);
      const inputGradients = groups.map((group, i) => {
        const [slope, pass] = [slopes[i], passes[i]];
        invariant(slope && pass, 'each group has a gradient and its statistics');
        return backward(runtime, { group, slope, statistics: pass.statistics }, scale, offset);
      });
      if (input.wantsGradient) input.addGradient(whole(inputGradients, input.dataType));
      else for (const part of inputGradients) part.free();
    },
    remakes ? remake : undefined,
  );
  return activation;
}

/**
 * The input, taken over, as tensors [1, rows, z, channels] that share its memory: the operation wants four sides, treats all
 * but the last alike, and takes its statistics over one such group.
 */
function takeGroups(
  runtime: Runtime,
  input: Activation,
  statisticsOver: 'batch' | 'instance',
): { rows: number[]; groups: Tensor[] } {
  const [examples, x, y, , channels] = input.shape as [number, number, number, number, number];
  const rows = statisticsOver === 'batch' ? [examples * x * y] : new Array<number>(examples).fill(x * y);
  const narrow = input.dataType === DATA_TYPE.bfloat16 && channels % BFLOAT16_CHANNELS !== 0;
  return { rows, groups: takeRows(runtime, input.tensor, rows, narrow ? DATA_TYPE.float32 : input.dataType) };
}

/** [examples, x, y, z, channels], taken over, in the given type as parts [1, rows, z, channels]. */
function takeRows(runtime: Runtime, tensor: Tensor, rows: readonly number[], dataType: number): Tensor[] {
  const [, , , z, channels] = tensor.shape as [number, number, number, number, number];
  const all = rows.reduce((sum, count) => sum + count, 0);
  const flat = reshapeAndFree(runtime, castAndFree(runtime, tensor, dataType), [1, all, z, channels]);
  if (rows.length === 1) return [flat];
  const parts = splitTensor(runtime, flat, rows, ROW_AXIS);
  flat.free();
  return parts;
}

function castAndFree(runtime: Runtime, tensor: Tensor, dataType: number): Tensor {
  const cast = castTensor(runtime, tensor, dataType);
  tensor.free();
  return cast;
}

/** Leaves three tensors for the gradient on both paths: saved mean, saved variance, and a reserved one. */
function forward(
  runtime: Runtime,
  group: Tensor,
  scale: Parameter,
  offset: Parameter,
): { rectified: Tensor; statistics: Tensor[] } {
  const [factor, shift] = [scale.view(), offset.view()];
  const inputs = [group, factor, shift, runtime.nothing(), runtime.nothing()];
  const native = runtime.native.normaliseRectify;
  const results = native
    ? runtime.run('_MklNativeFusedBatchNormEx', FORWARD_RECTIFIED(group), inputs, 6)
    : runtime.run('FusedBatchNormV3', FORWARD(group), inputs, 6);
  factor.free();
  shift.free();
  const [normalised, mean, variance, ...statistics] = results;
  invariant(normalised && mean && variance, 'a norm has six results');
  mean.free();
  variance.free();
  if (native) return { rectified: normalised, statistics };
  const rectified = runtime.runOne('Relu', SAME_TYPE(normalised), [normalised]);
  normalised.free();
  return { rectified, statistics };
}

/** The same operation on the same values: the same bits. */
function rectifiedAgain(runtime: Runtime, group: Tensor, scale: Parameter, offset: Parameter): Tensor {
  const { rectified, statistics } = forward(runtime, group, scale, offset);
  for (const tensor of statistics) tensor.free();
  return rectified;
}

interface GroupPass {
  readonly group: Tensor;
  readonly slope: Tensor;
  readonly statistics: readonly Tensor[];
}

/** The gradient of one group's input; frees the group, its slope and its statistics. */
function backward(runtime: Runtime, { group, slope, statistics }: GroupPass, scale: Parameter, offset: Parameter): Tensor {
  const factor = scale.view();
  const inputs = [slope, group, factor, ...statistics];
  const results = runtime.run('FusedBatchNormGradV3', STATISTICS(group), inputs, 5);
  const [inputGradient, scaleGradient, offsetGradient, ...empty] = results;
  for (const tensor of [slope, group, factor, ...statistics, ...empty]) tensor.free();
  invariant(inputGradient && scaleGradient && offsetGradient, 'the gradient of a norm has three parts');
  scale.addGradient(scaleGradient);
  offset.addGradient(offsetGradient);
  return inputGradient;
}
