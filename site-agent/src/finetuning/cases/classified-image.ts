/** From an image to the input of a classifier: the whole of it, or the patch around a voxel. */
import { resampleImage, stretchedGrid } from '../../preprocessing/resampling/resample-volume.js';
import type { PatchSize } from '../../training/patch-batch.js';
import { unsuitable } from '../../volumes/volume-fault.js';
import type { StoredGeometry, Triple } from '../../volumes/volume.js';
import type { ClassificationTask } from '../tasks/classification-task.js';
import type { NetworkImage } from './prepare-image.js';
import { cutPatch, type WindowStart } from './cut-patch.js';

export type InputPlan = Pick<ClassificationTask, 'input' | 'fit' | 'patchSizeVoxels'>;

/** What is kept of an image: enough for its patch, also turned and scaled a little. */
export interface ClassifierRegion {
  readonly sizeVoxels: PatchSize;
  /** Row-major [x][y][z], 0 to 1. */
  readonly intensities: Float32Array;
  /** Where the patch begins; what lies outside the region is 0. */
  readonly start: WindowStart;
}

/** Of the patch, on each side. */
const MARGIN_SHARE = 0.25;

/**
 * The region that a case's input is cut from. Whole images are stretched to the patch size (averaged where they shrink), or
 * lie in the middle of zeros; VOLUME_UNSUITABLE when such an image is larger than the patch, or a centre is missing or outside
 * of the image.
 */
export function classifierRegion(
  image: NetworkImage,
  source: StoredGeometry,
  centre: Triple | undefined,
  plan: InputPlan,
): ClassifierRegion {
  if (plan.input === 'patch') return patchRegion(image, centreOnGrid(image, source, centre), plan.patchSizeVoxels);
  const { sizeVoxels, intensities } = image;
  if (plan.fit === 'resize') {
    const box = resampleImage({ sizeVoxels, voxels: intensities }, stretchedGrid(sizeVoxels, plan.patchSizeVoxels));
    return { sizeVoxels: box.sizeVoxels, intensities: box.voxels, start: [0, 0, 0] };
  }
  const slack = plan.patchSizeVoxels.map((side, axis) => side - (sizeVoxels[axis] ?? 0));
  if (slack.some((voxels) => voxels < 0)) {
    const [own, wanted] = [sizeVoxels.join(' × '), plan.patchSizeVoxels.join(' × ')];
    throw unsuitable(
      `it has ${own} voxels, more than the network's ${wanted}`,
      'Say "fit: resize", or take a larger patch size.',
    );
  }
  return { sizeVoxels, intensities, start: slack.map((voxels) => 0 - Math.floor(voxels / 2)) as unknown as WindowStart };
}

/** The input itself, without augmentation. */
export function inputOf({ sizeVoxels, intensities, start }: ClassifierRegion, patch: PatchSize): Float32Array {
  const input = new Float32Array(patch[0] * patch[1] * patch[2]);
  cutPatch(intensities, sizeVoxels, start, patch, input);
  return input;
}

function patchRegion({ sizeVoxels, intensities }: NetworkImage, middle: Triple, patch: PatchSize): ClassifierRegion {
  const along = ([0, 1, 2] as const).map((axis) => {
    const start = middle[axis] - Math.floor(patch[axis] / 2);
    const margin = Math.ceil(MARGIN_SHARE * patch[axis]);
    const from = Math.max(0, start - margin);
    const to = Math.min(sizeVoxels[axis], start + patch[axis] + margin);
    return { from, size: to - from, start: start - from };
  });
  const triple = (of: 'from' | 'size' | 'start'): Triple => along.map((axis) => axis[of]) as unknown as Triple;
  const size = triple('size');
  const region = new Float32Array(size[0] * size[1] * size[2]);
  cutPatch(intensities, sizeVoxels, triple('from'), size, region);
  return { sizeVoxels: size, intensities: region, start: triple('start') };
}

/** The stored voxel's place on the prepared grid: axes in RAS+ order, then resampled, to the nearest voxel. */
function centreOnGrid(
  { fromOwn }: NetworkImage,
  { sizeVoxels, rasAxis, flipped }: StoredGeometry,
  centre: Triple | undefined,
): Triple {
  if (centre === undefined) throw unsuitable('the model reads patches, and no centre is given', 'Give the centre of the patch.');
  if (centre.some((index, axis) => index >= (sizeVoxels[axis] ?? 0))) {
    throw unsuitable(`the centre ${centre.join(', ')} lies outside of its ${sizeVoxels.join(' × ')} voxels`, 'Count from 0.');
  }
  const ras: [number, number, number] = [0, 0, 0];
  ([0, 1, 2] as const).forEach((stored) => {
    const axis = rasAxis[stored] as 0 | 1 | 2;
    ras[axis] = flipped[stored] ? sizeVoxels[stored] - 1 - centre[stored] : centre[stored];
  });
  if (fromOwn === undefined) return ras;
  return ([0, 1, 2] as const).map((axis) => {
    const { first, step, outputs } = fromOwn[axis];
    return Math.min(outputs - 1, Math.max(0, Math.round((ras[axis] - first) / step)));
  }) as unknown as Triple;
}
