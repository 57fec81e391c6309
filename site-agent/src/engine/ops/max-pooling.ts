/** Maximum over windows of voxels, in PyTorch's conventions (−∞ is added on both sides alike). */
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { byType, elementType, flag, NATIVE_KERNEL } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import type { PerAxis } from './convolution-geometry.js';
import { cropSides, type Sides } from './padding.js';
import { type PoolingGeometry, poolingGeometry, type PoolingWindow } from './pooling-window.js';

export interface MaxPoolOptions extends PoolingWindow {
  /** Voxels of −∞ on both sides of each axis, at most half the kernel; none by default. */
  readonly padding?: PerAxis;
}

const PAD_WITH = byType((type) => [elementType('T', type), elementType('Tpaddings', DATA_TYPE.int32)]);
/** The native kernel notes the place of a maximum in its window in one byte. */
const MOST_NATIVE_VOXELS = 255;

/**
 * [examples, x, y, z, channels] → [examples, x', y', z', channels]; 2³ voxels with stride 2 by default. Where voxels tie, the
 * native kernel gives the gradient to the first of them, as PyTorch does; the public one gives it to all.
 */
export function maxPool(tape: Tape, input: Activation, options: MaxPoolOptions = {}): Activation {
  const { runtime } = tape;
  const geometry = poolingGeometry(input.shape, options, options.padding);
  const padded = pad(runtime, input.tensor, geometry);
  const { output, places } = pool(runtime, padded, geometry);
  padded.free();
  const held = input.hold();
  return tape.push(output, [held, ...places, ...(tape.recording ? [output.keep()] : [])], (gradient) => {
    if (input.wantsGradient) {
      const value = held.take();
      input.addGradient(inputGradient(runtime, value, { output, places, gradient }, geometry));
      value.free();
    } else held.drop();
    for (const tensor of [output, ...places, gradient]) tensor.free();
  });
}

interface Pooled {
  readonly output: Tensor;
  /** Where in each window the maximum lay; none from the public kernel. */
  readonly places: readonly Tensor[];
}

function pool(runtime: Runtime, padded: Tensor, geometry: PoolingGeometry): Pooled {
  const attributes = geometry.attributes(padded.dataType);
  if (!runtime.runsNative('maxPooling', padded.dataType) || geometry.voxels > MOST_NATIVE_VOXELS)
    return { output: runtime.runOne('MaxPool3D', attributes, [padded]), places: [] };
  const native = [...attributes, flag('workspace_enabled', true), NATIVE_KERNEL];
  const [output, places] = runtime.run('_MklNativeMaxPool3D', native, [padded], 2);
  invariant(output && places, 'native pooling has two results');
  return { output, places: [places] };
}

/** Leaves what it is given. */
function inputGradient(
  runtime: Runtime,
  value: Tensor,
  { output, places, gradient }: Pooled & { readonly gradient: Tensor },
  geometry: PoolingGeometry,
): Tensor {
  const padded = pad(runtime, value, geometry);
  const attributes = [...geometry.attributes(value.dataType), elementType('TInput', value.dataType)];
  const native = [...attributes, flag('workspace_enabled', true), NATIVE_KERNEL];
  const whole =
    places.length === 0
      ? runtime.runOne('MaxPool3DGrad', attributes, [padded, output, gradient])
      : runtime.runOne('_MklNativeMaxPool3DGrad', native, [padded, output, gradient, ...places]);
  padded.free();
  if (geometry.padding === undefined) return whole;
  const cropped = cropSides(runtime, whole, geometry.padding, value.shape.slice(1, 4) as unknown as Sides);
  whole.free();
  return cropped;
}

/** The tensor, with one more owner, or a copy with −∞ around it. */
function pad(runtime: Runtime, tensor: Tensor, { padding }: PoolingGeometry): Tensor {
  if (padding === undefined) return tensor.keep();
  const [x, y, z] = padding;
  const amounts = runtime.integers([0, 0, x, x, y, y, z, z, 0, 0], [5, 2]);
  const exactLowest = runtime.scalar(Number.NEGATIVE_INFINITY);
  const lowest = castTensor(runtime, exactLowest, tensor.dataType);
  exactLowest.free();
  const padded = runtime.runOne('PadV2', PAD_WITH(tensor), [tensor, amounts, lowest]);
  lowest.free();
  return padded;
}
