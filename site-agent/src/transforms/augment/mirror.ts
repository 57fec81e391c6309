import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import type { Axis } from '../flip.js';

const AXES = { x: 0, y: 1, z: 2 } as const;

/** Each of the given axes with probability one half. */
export function drawMirror(axes: readonly Axis[], random: Random): Axis[] {
  return axes.filter(() => random.chance(0.5));
}

/** Mirrors a row-major [x][y][z] block along one axis by swapping opposite slabs. */
export function mirrorInPlace(values: Float32Array | Uint8Array, size: PatchSize, axis: Axis): void {
  const length = size[AXES[axis]];
  const inner = size.slice(AXES[axis] + 1).reduce((product, side) => product * side, 1);
  const outer = values.length / (length * inner);
  for (let block = 0; block < outer; block++) {
    for (let near = 0, far = length - 1; near < far; near++, far--) {
      swap(values, (block * length + near) * inner, (block * length + far) * inner, inner);
    }
  }
}

function swap(values: Float32Array | Uint8Array, a: number, b: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const kept = values[a + i] as number;
    values[a + i] = values[b + i] as number;
    values[b + i] = kept;
  }
}
