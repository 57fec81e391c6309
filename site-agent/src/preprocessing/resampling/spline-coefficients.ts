/**
 * Coefficients of the cubic B-spline that passes through the samples of a line: Unser, Aldroubi and Eden, "B-spline signal
 * processing: Part II", IEEE Trans. Signal Processing 41 (1993), with the line mirrored at its end samples. As SciPy's
 * `spline_filter1d(order=3, mode="mirror")`.
 */
import type { Box } from './resample-axis.js';

const POLE = Math.sqrt(3) - 2;
const GAIN = (1 - POLE) * (1 - 1 / POLE);

/** Replaces the samples of every line along the axis by spline coefficients, in place. */
export function toSplineCoefficients({ sizeVoxels, voxels }: Box, axis: 0 | 1 | 2): void {
  const length = sizeVoxels[axis];
  if (length === 1) return;
  const inner = sizeVoxels.slice(axis + 1).reduce((product, side) => product * side, 1);
  const line = new Float64Array(length);
  for (let first = 0; first < voxels.length; first += length * inner) {
    for (let offset = first; offset < first + inner; offset++) {
      for (let i = 0; i < length; i++) line[i] = GAIN * (voxels[offset + i * inner] as number);
      filterLine(line);
      for (let i = 0; i < length; i++) voxels[offset + i * inner] = line[i] as number;
    }
  }
}

function filterLine(line: Float64Array): void {
  const last = line.length - 1;
  line[0] = causalStart(line);
  for (let i = 1; i <= last; i++) line[i] = (line[i] as number) + POLE * (line[i - 1] as number);
  line[last] = (POLE / (POLE * POLE - 1)) * ((line[last] as number) + POLE * (line[last - 1] as number));
  for (let i = last - 1; i >= 0; i--) line[i] = POLE * ((line[i + 1] as number) - (line[i] as number));
}

/** The sum over the whole mirrored line, exactly: Σ pole^k · sample(k) over one period, divided by 1 − pole^period. */
function causalStart(line: Float64Array): number {
  const last = line.length - 1;
  let power = POLE;
  let mirroredPower = POLE ** last;
  let sum = (line[0] as number) + mirroredPower * (line[last] as number);
  mirroredPower = POLE ** (2 * last - 1);
  for (let i = 1; i < last; i++) {
    sum += (power + mirroredPower) * (line[i] as number);
    power *= POLE;
    mirroredPower /= POLE;
  }
  return sum / (1 - POLE ** (2 * last));
}
