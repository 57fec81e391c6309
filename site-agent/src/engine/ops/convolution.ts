/** Three-dimensional convolution without bias, in PyTorch's conventions (symmetric zero padding, cross-correlation). */
import { invariant } from '@consilium/shared/kernel';
import { type Activation, type Held, sumAndFree } from '../activation.js';
import { castTensor } from '../cast-tensor.js';
import type { Parameter } from '../parameters.js';
import { PartedActivation } from '../parted-activation.js';
import { RunningSum } from '../running-sum.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { joinAndFree, splitTensor } from './concatenation.js';
import { type ConvolutionGeometry, convolutionGeometry, type ConvolutionOptions } from './convolution-geometry.js';
import { cropSides, padSides, type Sides } from './padding.js';

const CHANNEL_AXIS = 4;
const IMAGE_CHANNELS = 4;
/** Of a filter [x, y, z, in, out]. */
const FILTER_INPUT_AXIS = 3;

/**
 * [examples, x, y, z, in] → [examples, x', y', z', out]. Several inputs of equal sides are read as if they lay side by side
 * along the channels: the output is the sum of their own convolutions, so that no joined copy is made or kept. An input that
 * comes in parts is read part by part.
 */
export function convolve(
  tape: Tape,
  input: Activation | readonly Activation[],
  filter: Parameter,
  options: ConvolutionOptions = {},
): Activation {
  const given: readonly Activation[] = 'tensor' in input ? [input] : input;
  const [first] = given;
  invariant(first !== undefined, 'a convolution has an input');
  const geometry = convolutionGeometry(first.shape, filter.shape.slice(2) as unknown as Sides, options);
  const dataType = isImage(first) ? first.dataType : tape.dataType;
  const computed = geometry.needs32Bits ? DATA_TYPE.float32 : dataType;
  return cast(tape, convolveAs(tape, given, filter, geometry, computed), dataType);
}

/** An image's few channels are read as they come: in 32 bits (see {@link Tape.input}). */
function isImage({ shape }: Activation): boolean {
  return (shape[CHANNEL_AXIS] as number) <= IMAGE_CHANNELS;
}

function convolveAs(
  tape: Tape,
  given: readonly Activation[],
  filter: Parameter,
  geometry: ConvolutionGeometry,
  dataType: number,
): Activation {
  const inputs = given.map((each) => cast(tape, each, dataType));
  const pass = new Convolution(tape.runtime, filter, inputs, geometry, dataType);
  if (!tape.recording) return tape.push(pass.forwardOnly(), [], () => {});
  for (const { tensor } of inputs) tensor.keep(); // for the way back
  const output = pass.forward();
  const held = inputs.map((each) => each.hold());
  return tape.push(output, held, (gradient) => {
    filter.addGradient(pass.filterGradient(held, gradient));
    pass.giveInputGradients(gradient);
    gradient.free();
  });
}

function isParted(input: Activation): input is PartedActivation {
  return input instanceof PartedActivation;
}

/** One convolution on its way forward and back. */
class Convolution {
  /** Sides of the inputs, all alike. */
  private readonly shape: readonly number[];
  private readonly channels: readonly number[];

  constructor(
    private readonly runtime: Runtime,
    private readonly filter: Parameter,
    private readonly inputs: readonly Activation[],
    private readonly geometry: ConvolutionGeometry,
    private readonly dataType: number,
  ) {
    this.shape = (inputs[0] as Activation).shape;
    this.channels = inputs.map(({ shape }) => shape[CHANNEL_AXIS] as number);
  }

  /** Takes over an ownership of each input, and gives it up as soon as its own convolution is computed. */
  forward(): Tensor {
    const { runtime, dataType } = this;
    const values = this.readable(
      this.inputs.map(({ tensor }) => tensor),
      dataType,
    );
    const weights = this.weights(values.length === 1 ? undefined : this.channels);
    const outputs = values.map((value, i) => this.convolveAndFree(value, weights[i] as Tensor));
    return outputs.reduce((sum, output) => sumAndFree(runtime, sum, output));
  }

  /** As {@link forward}, without a way back: inputs in parts are made while they are read, after the others are gone. */
  forwardOnly(): Tensor {
    const { runtime, inputs, dataType } = this;
    if (dataType !== DATA_TYPE.float32 || !inputs.some(isParted)) return this.forward();
    const counts = inputs.map((input, i) => (isParted(input) ? input.channels : [this.channels[i] as number]));
    const weights = this.weights(counts.flat());
    const read = inputs.map((input, i) => ({ input, weights: weights.splice(0, counts[i]?.length) }));
    const sum = new RunningSum(runtime);
    for (const { input, weights } of read.toSorted((a, b) => Number(isParted(a.input)) - Number(isParted(b.input)))) {
      const values = isParted(input) ? input.takeParts() : [input.tensor];
      for (const value of values) sum.add(this.convolveAndFree(this.pad(value), weights.shift() as Tensor));
    }
    return sum.take();
  }

  /** The whole filter's gradient; takes the held inputs and frees them, so that they are gone before others as large are made. */
  filterGradient(held: readonly Held[], gradient: Tensor): Tensor {
    const { runtime, geometry } = this;
    // oneDNN takes ten times as long for a dilated filter's gradient in bfloat16.
    const dataType = geometry.dilated ? DATA_TYPE.float32 : this.dataType;
    const slope = castTensor(runtime, gradient, dataType);
    const values = held.map((each) => each.take());
    const parts = this.readable(values, dataType).map((value) => {
      const sizes = [...this.filter.shape.slice(2), value.shape[CHANNEL_AXIS] as number, slope.shape[CHANNEL_AXIS] as number];
      const part = runtime.runOne('Conv3DBackpropFilterV2', geometry.forward(dataType), [value, runtime.integers(sizes), slope]);
      value.free();
      return part;
    });
    slope.free();
    return joinAndFree(runtime, parts, FILTER_INPUT_AXIS);
  }

  giveInputGradients(gradient: Tensor): void {
    const { runtime, geometry, shape } = this;
    if (!this.inputs.some(({ wantsGradient }) => wantsGradient)) return;
    const weights = this.weights(this.channels);
    for (const [i, input] of this.inputs.entries()) {
      const weight = weights[i] as Tensor;
      if (input.wantsGradient) {
        const sizes = runtime.integers(this.paddedShape(this.channels[i] as number));
        const whole = runtime.runOne('Conv3DBackpropInputV2', geometry.backward(this.dataType), [sizes, weight, gradient]);
        const { padding } = geometry;
        input.addGradient(
          padding === undefined ? whole : cropSides(runtime, whole, padding, shape.slice(1, 4) as unknown as Sides),
        );
        if (padding !== undefined) whole.free();
      }
      weight.free();
    }
  }

  private convolveAndFree(value: Tensor, weight: Tensor): Tensor {
    const output = this.runtime.runOne('Conv3D', this.geometry.forward(this.dataType), [value, weight]);
    value.free();
    weight.free();
    return output;
  }

  /** The filter in the activations' type, whole or cut for inputs of so many channels. */
  private weights(channels: readonly number[] = []): Tensor[] {
    const whole = this.filter.view(this.dataType);
    if (channels.length <= 1) return [whole];
    const split = splitTensor(this.runtime, whole, channels, FILTER_INPUT_AXIS);
    whole.free();
    return split;
  }

  /**
   * Takes over the inputs' values and gives them as the operation reads them: in a type, padded, and in bfloat16 side by side
   * in one tensor, for there the copy is cheap, the filter's gradient faster and one rounding less.
   */
  private readable(values: readonly Tensor[], dataType: number): Tensor[] {
    const { runtime } = this;
    const read = dataType === DATA_TYPE.bfloat16 ? [joinAndFree(runtime, values, CHANNEL_AXIS)] : values;
    return read.map((value) => {
      const cast = castTensor(runtime, value, dataType);
      value.free();
      return this.pad(cast);
    });
  }

  private paddedShape(channels: number): number[] {
    const [examples, ...sides] = this.shape as [number, number, number, number];
    const padding = this.geometry.padding ?? [0, 0, 0];
    return [examples, ...sides.slice(0, 3).map((side, axis) => side + 2 * (padding[axis] as number)), channels];
  }

  /** Takes over the tensor. */
  private pad(tensor: Tensor): Tensor {
    const { padding } = this.geometry;
    if (padding === undefined) return tensor;
    const padded = padSides(this.runtime, tensor, padding);
    tensor.free();
    return padded;
  }
}
