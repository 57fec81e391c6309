/** From a scan to what the network sees, with the very functions that prepare scans for pretraining; and back to its grid. */
import type { PreparationPlan } from '@consilium/shared/wire';
import { completePlan, type PreparedVoxels, prepareVolume } from '../../preprocessing/prepare-volume.js';
import { type GridMap, gridAtSpacing, inverseMap, resampleImage } from '../../preprocessing/resampling/resample-volume.js';
import { describeIntensities } from '../../volumes/intensity-statistics.js';
import { decideModality, holdsHounsfieldUnits } from '../../volumes/modality.js';
import { unsuitable } from '../../volumes/volume-fault.js';
import type { Modality, Triple, Volume } from '../../volumes/volume.js';
import { type ImagePlan, imagePlanOf } from '../tasks/image-plan.js';

/** An image as the network sees it. */
export interface NetworkImage {
  readonly sizeVoxels: Triple;
  /** Row-major [x][y][z], 0 to 1. */
  readonly intensities: Float32Array;
  /** Where these voxels lie between the scan's own; undefined when they are the same. */
  readonly fromOwn: GridMap | undefined;
}

/** With what else is known of its voxels. */
export interface PreparedImage extends NetworkImage, Omit<PreparedVoxels, 'voxels'> {
  readonly sizeVoxels: Triple;
  readonly modality: Modality;
}

/** More voxels than any scanner makes: a spacing that asks for them is a mistake. */
const MAXIMUM_VOXELS = 2 ** 29;

const HOW_TO_SAY =
  'If you know it, say modality: CT or MR, in a task for all images or for this case; "predict" takes it as --modality.';
const HOW_TO_SAY_OF_ONE =
  'If it is CT, say modality: CT in the task or take the case out; if it is MR, say modality: MR for this case ("predict": --modality).';

/**
 * Decides the modality (`stated` by header or case, plan, values, in this order), resamples and normalises. The volume's voxels
 * are overwritten. Throws VOLUME_UNSUITABLE when the image is not what the plan says, or cannot be resampled to the plan's spacing.
 */
export function prepareImage(volume: Volume, stated: Modality | undefined, plan: ImagePlan): PreparedImage {
  const modality = modalityOf(volume, stated, plan.modality);
  const { spacingMm } = plan;
  if (spacingMm === undefined) return { ...normalised(volume, modality, plan), modality, fromOwn: undefined };
  const grid = gridAtSpacing(volume, spacingMm);
  const voxels = grid.sizeVoxels.reduce((product, side) => product * side, 1);
  if (voxels > MAXIMUM_VOXELS) {
    const [size, wanted] = [grid.sizeVoxels.join(' × '), spacingMm.join(' × ')];
    throw unsuitable(`at ${wanted} mm it would have ${size} voxels`, 'Choose a coarser spacingMm.');
  }
  return { ...normalised(volume, modality, plan), modality, fromOwn: grid.from };
}

function normalised(volume: Volume, modality: Modality, plan: ImagePlan): Omit<PreparedImage, 'modality' | 'fromOwn'> {
  const { voxels, ...facts } = prepareVolume(volume, modality, preparationOf(plan));
  return { ...facts, intensities: voxels };
}

/** The preparation that a task asks for; nothing is cut away around the body. */
export function preparationOf(plan: ImagePlan): PreparationPlan {
  return { ...completePlan(undefined), ...imagePlanOf(plan) };
}

function modalityOf({ voxels }: Volume, stated: Modality | undefined, expected: Modality | undefined): Modality {
  if (stated !== undefined && expected !== undefined && stated !== expected) {
    throw unsuitable(`its header says ${stated}, but ${expected} is expected`, `Use ${expected} scans here.`);
  }
  // Nothing is asked of MR values, which have no unit, when it is this image that is said to be MR.
  if (stated === 'MR') return stated;
  const facts = describeIntensities(voxels);
  if (expected === 'MR' && holdsHounsfieldUnits(voxels, facts)) {
    throw unsuitable('its values are Hounsfield units, as of CT, but MR is expected', HOW_TO_SAY_OF_ONE);
  }
  return decideModality(voxels, facts, stated ?? expected, HOW_TO_SAY);
}

/**
 * Answers on the prepared grid, `outputs` per voxel (fastest), brought to the scan's own voxels: interpolated linearly, or
 * averaged over them where they are the larger ones. The same array when both grids are one.
 */
export function onOwnGrid(answers: Float32Array, fromOwn: GridMap | undefined, outputs: number): Float32Array {
  if (fromOwn === undefined) return answers;
  const [x, y, z] = inverseMap(fromOwn);
  const [nx, ny, nz] = [x.inputs, y.inputs, z.inputs];
  // The outputs of a voxel go along with it: first as part of the rows along z, then as an axis of their own.
  const planes = resampleImage({ sizeVoxels: [nx, ny, nz * outputs], voxels: answers }, [x, y, unchanged(nz * outputs)]);
  const rows = x.outputs * y.outputs;
  return resampleImage({ sizeVoxels: [rows, nz, outputs], voxels: planes.voxels }, [unchanged(rows), z, unchanged(outputs)])
    .voxels;
}

function unchanged(side: number): GridMap[0] {
  return { inputs: side, outputs: side, first: 0, step: 1 };
}
