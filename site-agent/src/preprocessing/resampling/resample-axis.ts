import type { Triple } from '../../volumes/volume.js';
import type { AxisTaps } from './axis-taps.js';

/** A box of voxels, row-major [x][y][z]. */
export interface Box {
  readonly sizeVoxels: Triple;
  readonly voxels: Float32Array;
}

/** Applies the taps of one axis to every line along it, into new memory; sums are in 64 bits. */
export function resampleAxis({ sizeVoxels, voxels }: Box, axis: 0 | 1 | 2, taps: AxisTaps): Box {
  const inner = sizeVoxels.slice(axis + 1).reduce((product, side) => product * side, 1);
  const outer = sizeVoxels.slice(0, axis).reduce((product, side) => product * side, 1);
  const output = new Float32Array(outer * taps.outputs * inner);
  const lines = { voxels, output, inputs: sizeVoxels[axis], outer, inner };
  if (inner === 1) resampleRows(lines, taps);
  else resamplePlanes(lines, taps);
  const size = [...sizeVoxels] as [number, number, number];
  size[axis] = taps.outputs;
  return { sizeVoxels: size, voxels: output };
}

interface Lines {
  readonly voxels: Float32Array;
  readonly output: Float32Array;
  readonly inputs: number;
  readonly outer: number;
  /** Voxels between neighbours of a line. */
  readonly inner: number;
}

function resampleRows({ voxels, output, inputs, outer }: Lines, { outputs, starts, width, weights }: AxisTaps): void {
  let to = 0;
  for (let row = 0; row < outer; row++) {
    for (let o = 0; o < outputs; o++) {
      const from = row * inputs + (starts[o] as number);
      let sum = 0;
      for (let tap = 0; tap < width; tap++) sum += (weights[o * width + tap] as number) * (voxels[from + tap] as number);
      output[to++] = sum;
    }
  }
}

// Whole rows of neighbouring lines at a time: memory is read in its order.
function resamplePlanes({ voxels, output, inputs, outer, inner }: Lines, { outputs, starts, width, weights }: AxisTaps): void {
  const sums = new Float64Array(inner);
  for (let plane = 0; plane < outer; plane++) {
    for (let o = 0; o < outputs; o++) {
      sums.fill(0);
      for (let tap = 0; tap < width; tap++) {
        const weight = weights[o * width + tap] as number;
        if (weight === 0) continue;
        const from = (plane * inputs + (starts[o] as number) + tap) * inner;
        for (let i = 0; i < inner; i++) sums[i] = (sums[i] as number) + weight * (voxels[from + i] as number);
      }
      output.set(sums, (plane * outputs + o) * inner);
    }
  }
}
