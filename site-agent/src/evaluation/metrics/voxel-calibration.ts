/**
 * Whether the probabilities of voxels mean what they say: reliability curve and expected calibration error of a class (Naeini et al., AAAI
 * 2015; Guo et al., ICML 2017) over the voxels of a case, as Mehrtash et al. (IEEE TMI 2020) and Jungo et al. (Frontiers in
 * Neuroscience 2020) apply them to segmentations.
 *
 * Which voxels (a choice of this program's): those of the smallest box around the voxels that are labelled as the class, widened on each
 * side, within the image, by a tenth of its length and at least by one voxel. Most of a scan is background that any model is right
 * about; with all of it every error would be near 0. The box is the label's alone, so that all models are judged on the same voxels, and
 * none looks better calibrated by predicting far away.
 */
import { invariant } from '@consilium/shared/kernel';
import { boundsOf, type Box } from './bounds.js';
import { CALIBRATION_BINS, expectedCalibrationError, type ReliabilityBin } from './calibration.js';

/** One number for each bin; sums of several cases may be added. */
export interface CalibrationSums {
  readonly voxels: readonly number[];
  /** Sum of the probabilities of the bin's voxels. */
  readonly probability: readonly number[];
  /** Voxels of the bin that are labelled as the class. */
  readonly labelled: readonly number[];
}

export interface VoxelReliabilityBin extends Omit<ReliabilityBin, 'cases'> {
  readonly voxels: number;
}

type Size = Box['sizeVoxels'];

/**
 * Sums of one class of one case. `probabilities` and `labelled` (class values from 1) are row-major [x][y][z]; null when the class
 * is labelled nowhere.
 */
export function sumCalibration(
  probabilities: Float32Array,
  labelled: Uint8Array,
  value: number,
  size: Size,
): CalibrationSums | null {
  invariant(probabilities.length === labelled.length, 'there is a probability for each voxel of the label');
  const bounds = boundsOf([labelled], value, size);
  if (bounds === undefined) return null;
  const { from, sizeVoxels } = widened(bounds, size);
  const sums = { voxels: zeros(), probability: zeros(), labelled: zeros() };
  for (let x = from[0]; x < from[0] + sizeVoxels[0]; x++) {
    for (let y = from[1]; y < from[1] + sizeVoxels[1]; y++) {
      const line = (x * size[1] + y) * size[2];
      for (let voxel = line + from[2]; voxel < line + from[2] + sizeVoxels[2]; voxel++) {
        const probability = probabilities[voxel] as number;
        const bin = binOf(probability);
        sums.voxels[bin] = (sums.voxels[bin] as number) + 1;
        sums.probability[bin] = (sums.probability[bin] as number) + probability;
        if (labelled[voxel] === value) sums.labelled[bin] = (sums.labelled[bin] as number) + 1;
      }
    }
  }
  return sums;
}

function zeros(): number[] {
  return new Array<number>(CALIBRATION_BINS).fill(0);
}

const MARGIN_SHARE = 0.1;

function widened({ from, sizeVoxels }: Box, size: Size): Box {
  const along = ([0, 1, 2] as const).map((axis) => {
    const margin = Math.max(1, Math.round(MARGIN_SHARE * sizeVoxels[axis]));
    const low = Math.max(0, from[axis] - margin);
    return { low, side: Math.min(size[axis], from[axis] + sizeVoxels[axis] + margin) - low };
  });
  const triple = (of: 'low' | 'side'): Size => along.map((axis) => axis[of]) as unknown as Size;
  return { from: triple('low'), sizeVoxels: triple('side') };
}

/** Bins are open below and closed above, as in {@link ReliabilityBin}s of cases; 0 lies in the first. */
function binOf(probability: number): number {
  let bin = Math.min(CALIBRATION_BINS - 1, Math.floor(probability * CALIBRATION_BINS));
  while (bin > 0 && probability <= bin / CALIBRATION_BINS) bin--;
  return bin;
}

/** All voxels of several cases together; null without a case. */
export function addCalibration(cases: readonly CalibrationSums[]): CalibrationSums | null {
  if (cases.length === 0) return null;
  const add = (of: keyof CalibrationSums): number[] =>
    zeros().map((_, bin) => cases.reduce((sum, own) => sum + (own[of][bin] ?? 0), 0));
  return { voxels: add('voxels'), probability: add('probability'), labelled: add('labelled') };
}

export function voxelReliability({ voxels, probability, labelled }: CalibrationSums): VoxelReliabilityBin[] {
  return voxels.map((count, bin) => ({
    from: bin / CALIBRATION_BINS,
    to: (bin + 1) / CALIBRATION_BINS,
    voxels: count,
    meanProbability: count === 0 ? null : (probability[bin] ?? 0) / count,
    observedShare: count === 0 ? null : (labelled[bin] ?? 0) / count,
  }));
}

/** Of one case; a mean over cases does not let too sure and too unsure ones cancel. */
export function voxelCalibrationError(sums: CalibrationSums): number {
  return expectedCalibrationError(voxelReliability(sums).map(({ voxels, ...bin }) => ({ ...bin, cases: voxels })));
}
