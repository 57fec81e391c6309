/**
 * Sliding-window inference: patch-sized windows that overlap, each voxel of a window weighted by a Gaussian about its middle as
 * in nnU-Net (Isensee et al., Nature Methods 2021: standard deviation one eighth of the patch), or all alike (spec A12). Pure:
 * the caller predicts.
 */
import { FederationError } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { axisOverlap, cutPatch, type WindowStart } from '../cases/cut-patch.js';
import { USUAL_WINDOWS, type WindowPlan } from './window-plan.js';

/** First voxels of the windows along one axis: evenly spread, the last one flush with the end. */
export function axisStarts(sizeVoxels: number, patchVoxels: number, overlap: number): number[] {
  // A short axis has one window around it; a negative start means padding before the first voxel.
  if (sizeVoxels <= patchVoxels) return [0 - Math.floor((patchVoxels - sizeVoxels) / 2)];
  const stride = Math.max(1, Math.floor(patchVoxels * (1 - overlap)));
  const last = sizeVoxels - patchVoxels;
  const count = Math.ceil(last / stride) + 1;
  return Array.from({ length: count }, (_, index) => Math.round((index * last) / (count - 1)));
}

/** All windows of a volume, x slowest. Throws ARGUMENT_INVALID unless 0 ≤ overlap < 1. */
export function planWindows(sizeVoxels: PatchSize, patch: PatchSize, overlap = 0.5): WindowStart[] {
  if (!(overlap >= 0 && overlap < 1)) {
    throw new FederationError('ARGUMENT_INVALID', `an overlap of ${overlap} is outside [0, 1)`, {
      remedy: 'Use 0.5, for example.',
    });
  }
  const [xs, ys, zs] = [0, 1, 2].map((axis) => axisStarts(sizeVoxels[axis] ?? 0, patch[axis] ?? 1, overlap));
  return (xs ?? []).flatMap((x) => (ys ?? []).flatMap((y) => (zs ?? []).map((z) => [x, y, z] as const)));
}

/** Predicts one patch: voxels in, patch voxels × outputs out (output fastest). The answer may be overwritten by the next. */
export type PredictPatch = (patch: Float32Array) => Float32Array;

/** Some of a network's outputs, one after the other. */
export interface OutputRange {
  readonly outputs: number;
  readonly from: number;
  readonly to: number;
}

/** How a volume is predicted. */
export interface VolumePrediction {
  readonly patch: PatchSize;
  readonly range: OutputRange;
  /** The usual ones when left out. */
  readonly windows?: WindowPlan | undefined;
  /** Waited for after each window, with the share of them that is done. A large volume takes half an hour; what it throws ends it. */
  readonly pause?: ((share: number) => Promise<void>) | undefined;
}

/**
 * The weighted mean of all window predictions for each voxel, of the outputs in the range: volume voxels × range, output
 * fastest. What an output becomes does not depend on which others are asked for with it.
 */
export async function predictVolume(
  { intensities, sizeVoxels }: { readonly intensities: Float32Array; readonly sizeVoxels: PatchSize },
  { patch, range, windows = USUAL_WINDOWS, pause }: VolumePrediction,
  predict: PredictPatch,
): Promise<Float32Array> {
  const { overlap, weighting, mirrorAxes } = windows;
  const mirrors = mirrorsAlong(mirrorAxes);
  const result = new Float32Array(intensities.length * (range.to - range.from));
  const input = new Float32Array(patch[0] * patch[1] * patch[2]);
  const shares = ([0, 1, 2] as const).map((axis) => axisShares(sizeVoxels[axis], patch[axis], { overlap, weighting }));
  const starts = planWindows(sizeVoxels, patch, overlap);
  for (const [index, start] of starts.entries()) {
    cutPatch(intensities, sizeVoxels, start, patch, input);
    const weights = shares.map((along, axis) => along.get(start[axis] ?? 0) ?? new Float64Array());
    for (const mirror of mirrors) {
      const answer = predict(mirror.some(Boolean) ? mirrored(input, patch, mirror) : input);
      addWindow(answer, { result, range, sizeVoxels }, { start, patch, weights, mirror, share: 1 / mirrors.length });
    }
    await pause?.((index + 1) / starts.length);
  }
  return result;
}

type Mirror = readonly [boolean, boolean, boolean];

function mirrorsAlong(axes: WindowPlan['mirrorAxes']): Mirror[] {
  return [0, 1, 2, 3, 4, 5, 6, 7]
    .map((bits): Mirror => [(bits & 1) !== 0, (bits & 2) !== 0, (bits & 4) !== 0])
    .filter((mirror) => (['x', 'y', 'z'] as const).every((axis, index) => mirror[index] === false || axes.includes(axis)));
}

function mirrored(input: Float32Array, [px, py, pz]: PatchSize, [x, y, z]: Mirror): Float32Array {
  const turned = new Float32Array(input.length);
  let write = 0;
  for (let i = 0; i < px; i++) {
    for (let j = 0; j < py; j++) {
      const row = ((x ? px - 1 - i : i) * py + (y ? py - 1 - j : j)) * pz;
      for (let k = 0; k < pz; k++) turned[write++] = input[row + (z ? pz - 1 - k : k)] as number;
    }
  }
  return turned;
}

/** A window's edge counts for no less than this share of its middle: rounding must not decide there. */
const LEAST_WEIGHT = 1e-3;

/** The weight of each voxel along one axis of a patch, 1 in the middle. */
export function axisWeights(patchVoxels: number, weighting: WindowPlan['weighting']): Float64Array {
  const middle = (patchVoxels - 1) / 2;
  const deviation = patchVoxels / 8;
  return Float64Array.from({ length: patchVoxels }, (_, voxel) =>
    weighting === 'mean' ? 1 : Math.max(LEAST_WEIGHT, Math.exp(-0.5 * ((voxel - middle) / deviation) ** 2)),
  );
}

/**
 * For each window along an axis, by its start, the share that it has in each of its voxels: the shares of all windows over a
 * voxel add up to 1. Windows lie in a grid and weights are products, so that the shares of the axes multiply.
 */
function axisShares(
  sizeVoxels: number,
  patchVoxels: number,
  { overlap, weighting }: Pick<WindowPlan, 'overlap' | 'weighting'>,
): Map<number, Float64Array> {
  const weights = axisWeights(patchVoxels, weighting);
  const starts = axisStarts(sizeVoxels, patchVoxels, overlap);
  const totals = new Float64Array(sizeVoxels);
  const eachVoxel = (start: number, visit: (voxel: number, inWindow: number) => void): void => {
    const { from, to } = axisOverlap(start, patchVoxels, sizeVoxels);
    for (let voxel = from; voxel < to; voxel++) visit(voxel, voxel - start);
  };
  for (const start of starts) {
    eachVoxel(start, (voxel, inWindow) => (totals[voxel] = (totals[voxel] as number) + (weights[inWindow] as number)));
  }
  return new Map(
    starts.map((start) => {
      const shares = new Float64Array(patchVoxels);
      eachVoxel(start, (voxel, inWindow) => (shares[inWindow] = (weights[inWindow] as number) / (totals[voxel] as number)));
      return [start, shares] as const;
    }),
  );
}

interface Target {
  readonly result: Float32Array;
  readonly range: OutputRange;
  readonly sizeVoxels: PatchSize;
}

interface PlacedWindow {
  readonly start: WindowStart;
  readonly patch: PatchSize;
  /** Along each axis. */
  readonly weights: readonly Float64Array[];
  /** How the window was turned when it was predicted; its answer is turned back. */
  readonly mirror: Mirror;
  readonly share: number;
}

function addWindow(answer: Float32Array, { result, range, sizeVoxels }: Target, window: PlacedWindow): void {
  const { start, patch, mirror, share } = window;
  const [alongX, alongY, alongZ] = window.weights as [Float64Array, Float64Array, Float64Array];
  const { outputs, from, to } = range;
  const [, sy, sz] = sizeVoxels;
  const [px, py, pz] = patch;
  const overlapAlong = (axis: 0 | 1 | 2) => axisOverlap(start[axis], patch[axis], sizeVoxels[axis]);
  const [x, y, z] = [overlapAlong(0), overlapAlong(1), overlapAlong(2)];
  const step = mirror[2] ? -outputs : outputs;
  for (let i = x.from; i < x.to; i++) {
    const [inX, readX] = inWindow(i - start[0], px, mirror[0]);
    for (let j = y.from; j < y.to; j++) {
      const [inY, readY] = inWindow(j - start[1], py, mirror[1]);
      const [inZ, readZ] = inWindow(z.from - start[2], pz, mirror[2]);
      const rowWeight = share * (alongX[inX] as number) * (alongY[inY] as number);
      let read = ((readX * py + readY) * pz + readZ) * outputs;
      let write = ((i * sy + j) * sz + z.from) * (to - from);
      for (let k = 0; k < z.to - z.from; k++, read += step) {
        const weight = rowWeight * (alongZ[inZ + k] as number);
        for (let output = from; output < to; output++, write++) {
          result[write] = (result[write] as number) + weight * (answer[read + output] as number);
        }
      }
    }
  }
}

/** A voxel's place along an axis of the window, and of the answer of a window that was turned. */
function inWindow(voxel: number, patchVoxels: number, turned: boolean): [voxel: number, inAnswer: number] {
  return [voxel, turned ? patchVoxels - 1 - voxel : voxel];
}
