/**
 * How the samples of one axis come from those of another, as weights. Coordinates are those of sample centres: sample i of the
 * input lies at i, and output sample o at `first + o · step`.
 */
export interface AxisTaps {
  readonly outputs: number;
  /** First input sample of each output sample. */
  readonly starts: Int32Array;
  /** Weights per output sample; unused ones are 0 at the end. */
  readonly width: number;
  readonly weights: Float64Array;
}

/** A regular grid of sample positions along an axis, in samples of the input. */
export interface AxisGrid {
  readonly inputs: number;
  readonly outputs: number;
  readonly first: number;
  readonly step: number;
}

export type Interpolation = 'trilinear' | 'cubic';

/**
 * The grid whose samples are `step` input samples apart and whose middle is the middle of the input, so that nothing moves in
 * space.
 */
export function centredGrid(inputs: number, outputs: number, step: number): AxisGrid {
  return { inputs, outputs, step, first: (inputs - 1) / 2 - ((outputs - 1) / 2) * step };
}

/** Linear interpolation; beyond the ends the end sample holds on (SciPy's mode "nearest"). */
export function linearTaps(grid: AxisGrid): AxisTaps {
  return gatherTaps(grid, 2, (position, add) => {
    const clamped = Math.min(Math.max(position, 0), grid.inputs - 1);
    const low = Math.min(Math.floor(clamped), Math.max(0, grid.inputs - 2));
    add(low, 1 - (clamped - low));
    if (clamped > low) add(low + 1, clamped - low);
  });
}

/** The mean over `step` input samples around each position, each input sample being a bar of width 1; what lies outside does not count. */
export function areaTaps(grid: AxisGrid): AxisTaps {
  const width = Math.ceil(grid.step) + 1;
  return gatherTaps(grid, width, (position, add) => {
    const from = Math.max(-0.5, position - grid.step / 2);
    const to = Math.min(grid.inputs - 0.5, position + grid.step / 2);
    for (let sample = Math.max(0, Math.floor(from + 0.5)); sample < grid.inputs && sample - 0.5 < to; sample++) {
      const shared = Math.min(to, sample + 0.5) - Math.max(from, sample - 0.5);
      if (shared > 0) add(sample, shared / (to - from));
    }
  });
}

/** Cubic B-spline over prefiltered coefficients (see `spline-coefficients`), mirrored at the end samples (SciPy's mode "mirror"). */
export function splineTaps(grid: AxisGrid): AxisTaps {
  return gatherTaps(grid, 4, (position, add) => {
    const low = Math.floor(position);
    const t = position - low;
    const weights = [(1 - t) ** 3, 3 * t ** 3 - 6 * t ** 2 + 4, 1 + 3 * t + 3 * t ** 2 - 3 * t ** 3, t ** 3];
    weights.forEach((weight, index) => add(mirrored(low - 1 + index, grid.inputs), weight / 6));
  });
}

/** Index of the input sample nearest to each output sample; halfway, the next. */
export function nearestSamples({ inputs, outputs, first, step }: AxisGrid): Int32Array {
  return Int32Array.from({ length: outputs }, (_, output) =>
    Math.min(inputs - 1, Math.max(0, Math.floor(first + output * step + 0.5))),
  );
}

function mirrored(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = ((index % period) + period) % period;
  return within < length ? within : period - within;
}

type AddTap = (sample: number, weight: number) => void;

/** Weights on the same sample add up; the samples of one output lie within `width` of each other. */
function gatherTaps(grid: AxisGrid, width: number, tapsAt: (position: number, add: AddTap) => void): AxisTaps {
  const { inputs, outputs, first, step } = grid;
  const used = Math.min(width, inputs);
  const starts = new Int32Array(outputs);
  const weights = new Float64Array(outputs * used);
  for (let output = 0; output < outputs; output++) {
    const taps: [sample: number, weight: number][] = [];
    tapsAt(first + output * step, (sample, weight) => taps.push([sample, weight]));
    const lowest = Math.min(...taps.map(([sample]) => sample));
    const start = Math.min(lowest, inputs - used);
    starts[output] = start;
    for (const [sample, weight] of taps) {
      const at = output * used + sample - start;
      weights[at] = (weights[at] as number) + weight;
    }
  }
  return { outputs, starts, width: used, weights };
}
