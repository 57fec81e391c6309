/**
 * The ways up of a U-Net. What is raised is its largest tensor: where there is no way back and it is large, it comes in parts
 * for the convolution that reads it.
 */
import type { Activation } from '../activation.js';
import type { Parameter } from '../parameters.js';
import { type ChannelParts, PartedActivation } from '../parted-activation.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { addBias, biasedAndFree } from './bias.js';
import { splitTensor } from './concatenation.js';
import { convolutionGeometry } from './convolution-geometry.js';
import { upsampleNearest } from './nearest-upsampling.js';
import type { Sides } from './padding.js';
import { convolveTransposed } from './transposed-convolution.js';

/** Smaller parts would cost time and hardly lower the peak, which is then that of the layers around. */
const PART_BYTES = 8 * 2 ** 20;
/** Parts have a multiple of so many channels, which fills the vectors of the kernels. */
const CHANNEL_STEP = 16;

const CHANNEL_AXIS = 4;
/** Of a filter [x, y, z, out, in]. */
const FILTER_OUTPUT_AXIS = 3;
const TWICE: Sides = [2, 2, 2];

/**
 * By a transposed convolution with kernel = stride, and a bias: [examples, x, y, z, in] → [examples, x', y', z', out], each side
 * times that of the filter [in, out, …kernel].
 */
export function raise(tape: Tape, input: Activation, filter: Parameter, bias: Parameter): Activation {
  const [, channels, ...kernel] = filter.shape as [number, number, ...number[]];
  const parts = cutRaised(input, kernel, channels);
  if (isWhole(tape, parts)) return addBias(tape, convolveTransposed(tape, input, filter), bias);
  return new PartedActivation(tape.runtime, new TransposedParts(tape.runtime, parts, { input, filter, bias }));
}

/** By repeating each voxel twice along each axis. */
export function raiseNearest(tape: Tape, input: Activation): Activation {
  const parts = cutRaised(input, TWICE, input.shape[CHANNEL_AXIS] as number);
  if (isWhole(tape, parts)) return upsampleNearest(tape, input);
  const { runtime } = tape;
  const { layer } = runtime;
  const make = function* (): Generator<Tensor> {
    const below = runtime.within(layer, 'forward', () => splitTensor(runtime, input.tensor, parts.channels, CHANNEL_AXIS));
    input.tensor.free();
    for (const part of below) yield runtime.within(layer, 'forward', () => upsampleNearest(tape, tape.input(part), TWICE).tensor);
  };
  return new PartedActivation(runtime, { ...parts, make });
}

type RaisedShape = Omit<ChannelParts, 'make'>;

function cutRaised({ shape, dataType }: Activation, factors: readonly number[], channels: number): RaisedShape {
  const [examples, ...sides] = shape.slice(0, CHANNEL_AXIS) as [number, ...number[]];
  const raised = [examples, ...sides.map((side, axis) => side * (factors[axis] as number))];
  const bytesPerChannel = 4 * raised.reduce((product, side) => product * side, 1);
  const most = Math.max(1, Math.floor(PART_BYTES / bytesPerChannel / CHANNEL_STEP)) * CHANNEL_STEP;
  const parts = Array.from({ length: Math.ceil(channels / most) }, (_, i) => Math.min(most, channels - i * most));
  return { shape: [...raised, channels], dataType, channels: parts };
}

/** In bfloat16 a convolution reads its inputs side by side, so that parts would serve nothing. */
function isWhole({ recording }: Tape, { dataType, channels }: RaisedShape): boolean {
  return recording || dataType !== DATA_TYPE.float32 || channels.length === 1;
}

interface Raising {
  readonly input: Activation;
  readonly filter: Parameter;
  readonly bias: Parameter;
}

class TransposedParts implements ChannelParts {
  readonly shape: readonly number[];
  readonly channels: readonly number[];
  readonly dataType: number;
  /** Parts are made while another layer reads them. */
  private readonly layer: string;

  constructor(
    private readonly runtime: Runtime,
    { shape, channels, dataType }: RaisedShape,
    private readonly raising: Raising,
  ) {
    this.shape = shape;
    this.channels = channels;
    this.dataType = dataType;
    this.layer = runtime.layer;
  }

  *make(): Generator<Tensor> {
    const { input, filter, bias } = this.raising;
    const weights = this.cut(filter, FILTER_OUTPUT_AXIS);
    const offsets = this.cut(bias, 0);
    for (const [i, weight] of weights.entries()) yield this.makePart(i, weight, offsets[i] as Tensor);
    input.tensor.free();
  }

  /** Frees the part's own filter and bias. */
  private makePart(index: number, weight: Tensor, offset: Tensor): Tensor {
    const { runtime, raising, dataType } = this;
    const shape = this.shape.with(CHANNEL_AXIS, this.channels[index] as number);
    const kernel = raising.filter.shape.slice(2) as unknown as Sides;
    const attributes = convolutionGeometry(shape, kernel, { stride: kernel, padding: 0 }).backward(dataType);
    return runtime.within(this.layer, 'forward', () => {
      const operands = [runtime.integers(shape), weight, raising.input.tensor];
      const part = runtime.runOne('Conv3DBackpropInputV2', attributes, operands);
      weight.free();
      return biasedAndFree(runtime, part, offset);
    });
  }

  private cut(parameter: Parameter, axis: number): Tensor[] {
    const { runtime, channels } = this;
    return runtime.within(this.layer, 'forward', () => {
      const whole = parameter.view();
      const parts = splitTensor(runtime, whole, channels, axis);
      whole.free();
      return parts;
    });
  }
}
