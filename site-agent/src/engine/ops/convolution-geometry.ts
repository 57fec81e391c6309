import { FederationError, invariant } from '@consilium/shared/kernel';
import { elementType, integers, text } from '../attributes.js';
import { DATA_TYPE, type OperationAttribute } from '../runtime/tensorflow-binding.js';
import type { Sides } from './padding.js';

/** One number for all three axes, or one for each of x, y, z. */
export type PerAxis = number | Sides;

export interface ConvolutionOptions {
  readonly stride?: PerAxis;
  readonly dilation?: PerAxis;
  /** Zero voxels on both sides of each axis; by default as many as keep the sides at stride 1 (odd kernels). */
  readonly padding?: PerAxis;
}

/** How TensorFlow is asked for one of PyTorch's convolutions. */
export interface ConvolutionGeometry {
  /** Voxels that TensorFlow's own padding cannot add alike on both sides, so that they are added by hand; else undefined. */
  readonly padding: Sides | undefined;
  readonly dilated: boolean;
  /** True where oneDNN's bfloat16 convolution is wrong, so that it is computed in 32 bits: see {@link failsInBfloat16}. */
  readonly needs32Bits: boolean;
  /** Attributes of Conv3D and Conv3DBackpropFilterV2 for an element type. */
  forward(type: number): readonly OperationAttribute[];
  /** Attributes of Conv3DBackpropInputV2. */
  backward(type: number): readonly OperationAttribute[];
}

/**
 * `input` is [examples, x, y, z, channels], `kernel` the sides of the filter. Output side per axis:
 * ⌊(side + 2 · padding − dilation · (kernel − 1) − 1) / stride⌋ + 1, as in PyTorch.
 */
export function convolutionGeometry(input: readonly number[], kernel: Sides, options: ConvolutionOptions): ConvolutionGeometry {
  const stride = perAxis(options.stride ?? 1);
  const dilation = perAxis(options.dilation ?? 1);
  const span = kernel.map((side, axis) => (side - 1) * at(dilation, axis));
  const padding = options.padding === undefined ? keepingSides(span) : perAxis(options.padding);
  const sides = input.slice(1, 4);
  requireRoom(sides, span, padding);
  const own = sides.every((side, axis) => samePadsAlike(side, at(stride, axis), at(span, axis), at(padding, axis)));
  const none = padding.every((amount) => amount === 0);
  const shape = [
    integers('strides', [1, ...stride, 1]),
    integers('dilations', [1, ...dilation, 1]),
    text('padding', own && !none ? 'SAME' : 'VALID'),
    text('data_format', 'NDHWC'),
  ];
  return {
    padding: own || none ? undefined : padding,
    dilated: dilation.some((rate) => rate > 1),
    needs32Bits: sides.some((side, axis) => {
      const room = side + 2 * at(padding, axis) - at(span, axis) - 1;
      return failsInBfloat16(side, Math.floor(room / at(stride, axis)) + 1, at(kernel, axis), at(span, axis));
    }),
    forward: (type) => [elementType('T', type), ...shape],
    backward: (type) => [elementType('T', type), ...shape, elementType('Tshape', DATA_TYPE.int32)],
  };
}

/** TensorFlow's SAME pads to ⌈side / stride⌉ outputs, the odd voxel behind; true when that is `padding` on both sides. */
export function samePadsAlike(side: number, stride: number, span: number, padding: number): boolean {
  const outputs = Math.ceil(side / stride);
  return Math.max((outputs - 1) * stride + span + 1 - side, 0) === 2 * padding;
}

/**
 * TensorFlow 2.21's oneDNN reads and writes beside its memory in bfloat16 (wrong values, crashes) when an axis has one output,
 * and when a kernel other than 3 reaches over a whole axis. Found by thousands of random shapes; in 32 bits all were right.
 */
function failsInBfloat16(side: number, outputs: number, kernel: number, span: number): boolean {
  return outputs === 1 || (kernel !== 3 && kernel > 1 && side <= span + 1);
}

function keepingSides(span: readonly number[]): Sides {
  invariant(
    span.every((length) => length % 2 === 0),
    'a kernel with an even side is given its padding',
  );
  return span.map((length) => length / 2) as unknown as Sides;
}

/** Refuses an input too small for even one place of the window. */
export function requireRoom(sides: readonly number[], span: readonly number[], padding: Sides): void {
  if (sides.every((side, axis) => side + 2 * at(padding, axis) > at(span, axis))) return;
  throw new FederationError('ARGUMENT_INVALID', `a patch of ${sides.join(' × ')} voxels is too small for this network`, {
    remedy: 'Use larger patches.',
  });
}

export function perAxis(value: PerAxis): Sides {
  return typeof value === 'number' ? [value, value, value] : value;
}

function at(values: readonly number[], axis: number): number {
  const value = values[axis];
  invariant(value !== undefined, 'there are three axes');
  return value;
}
