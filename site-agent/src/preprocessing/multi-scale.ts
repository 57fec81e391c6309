/**
 * Crops of several sizes resized to one patch: the multi-scale cubes of Universal Model (arXiv 2010.06107 v1) and SAR (v2), as
 * far as they are known; the rules for short axes are this project's (spec C5).
 */
import { Random } from '@consilium/shared/kernel';
import type { ScalesPlan } from '@consilium/shared/wire';
import type { Triple } from '../volumes/volume.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';
import { resampleImage, stretchedGrid } from './resampling/resample-volume.js';

/** A size at which a volume is cut, before the crop is resized to the patch. */
export interface Scale {
  /** 0 for the largest. */
  readonly label: number;
  /** Longer than the volume along an axis only when the crop is to lie in the middle of air. */
  readonly sizeVoxels: Triple;
}

/**
 * The scales that a volume has room for. Along z a crop takes the whole axis where that is too short; along x and y too, but
 * only if the axis has `leastShare` of what is asked: otherwise the label would be wrong and the scale is left out. A volume
 * without room for any is cut at the smallest scale, in the middle of air.
 */
export function scalesOf(volume: Pick<PreparedVolume, 'sizeVoxels' | 'spacingMm'>, plan: ScalesPlan): readonly Scale[] {
  const asked = plan.sizes.map((sides) => sidesInVoxels(sides, volume.spacingMm, plan.unit));
  const scales = asked.flatMap((sides, label) => {
    const covered = sides.map((side, axis) => Math.min(side, volume.sizeVoxels[axis] ?? side)) as unknown as Triple;
    const fits = ([0, 1] as const).every((axis) => covered[axis] >= plan.leastShare * sides[axis]);
    return fits ? [{ label, sizeVoxels: covered }] : [];
  });
  if (scales.length > 0) return scales;
  const smallest = asked.length - 1;
  return [{ label: smallest, sizeVoxels: asked[smallest] ?? [1, 1, 1] }];
}

/** The scale of a volume's visit: each of them once in as many visits, in an order shuffled by the name of the stream. */
export function scaleOfVisit(scales: readonly Scale[], visit: number, streamName: string): Scale {
  const turn = Math.floor(visit / scales.length);
  const order = new Random(`${streamName}/scales/${turn}`).shuffle([...scales]);
  return order[visit % scales.length] as Scale;
}

/** A crop resized to the patch: averaged along axes that shrink, linear along axes that grow. */
export function resizeCrop(voxels: Float32Array, sizeVoxels: Triple, patchSize: Triple): Float32Array {
  return resampleImage({ sizeVoxels, voxels }, stretchedGrid(sizeVoxels, patchSize)).voxels;
}

function sidesInVoxels(sides: Triple, spacingMm: Triple, unit: ScalesPlan['unit']): Triple {
  const along = (axis: 0 | 1 | 2): number =>
    Math.max(1, Math.round(unit === 'voxels' ? sides[axis] : sides[axis] / spacingMm[axis]));
  return [along(0), along(1), along(2)];
}
