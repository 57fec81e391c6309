import { integers, elementType, text } from '../attributes.js';
import type { OperationAttribute } from '../runtime/tensorflow-binding.js';
import { perAxis, type PerAxis, requireRoom, samePadsAlike } from './convolution-geometry.js';
import type { Sides } from './padding.js';

export interface PoolingWindow {
  /** Sides of the window; 2 by default. */
  readonly kernel?: PerAxis;
  /** As the kernel by default, so that windows lie side by side. */
  readonly stride?: PerAxis;
}

/** How TensorFlow is asked for one of PyTorch's poolings. */
export interface PoolingGeometry {
  /** Voxels in one window. */
  readonly voxels: number;
  /** Voxels that TensorFlow's own padding cannot add alike on both sides, so that they are added by hand; else undefined. */
  readonly padding: Sides | undefined;
  readonly attributes: (type: number) => readonly OperationAttribute[];
}

/**
 * `input` is [examples, x, y, z, channels]. Output side per axis: ⌊(side + 2 · padding − kernel) / stride⌋ + 1, as in PyTorch;
 * voxels behind the last whole window are left out.
 */
export function poolingGeometry(input: readonly number[], window: PoolingWindow, padding: PerAxis = 0): PoolingGeometry {
  const kernel = perAxis(window.kernel ?? 2);
  const stride = perAxis(window.stride ?? kernel);
  const amounts = perAxis(padding);
  const [, ...sides] = input as [number, ...Sides];
  const span = kernel.map((side) => side - 1);
  requireRoom(sides.slice(0, 3), span, amounts);
  const alike = [0, 1, 2].every((axis) => samePadsAlike(at(sides, axis), at(stride, axis), at(span, axis), at(amounts, axis)));
  const none = amounts.every((amount) => amount === 0);
  const shape = [
    integers('ksize', [1, ...kernel, 1]),
    integers('strides', [1, ...stride, 1]),
    text('padding', alike && !none ? 'SAME' : 'VALID'),
    text('data_format', 'NDHWC'),
  ];
  return {
    voxels: kernel.reduce((product, side) => product * side, 1),
    padding: alike || none ? undefined : amounts,
    attributes: (type) => [elementType('T', type), ...shape],
  };
}

function at(values: readonly number[], axis: number): number {
  return values[axis] as number;
}
