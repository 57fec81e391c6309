import type { Random } from '@consilium/shared/kernel';
import type { SparsePatchPlan } from '@consilium/shared/wire';
import type { Triple } from '../volumes/volume.js';
import { coveredBy, type DrawnFrom, drawStart, framed } from './draw-patch.js';
import type { PreparedReader } from './patch-cache/open-prepared.js';

/** Slices beyond a patch that the public code cuts as well; only the first of them has a say. */
const SLICES_AHEAD = 3;

export interface SparseRule {
  readonly sparse: SparsePatchPlan;
  /** Beside it: the share of voxels above the air threshold. The public code asks for none. */
  readonly minimumForeground: number;
}

/**
 * A patch as the public Models Genesis code takes it (infinite_generator_3D.py): at a uniform position off the sides, refused while its
 * mean density is too large. Where no position will do, the least dense of those that were tried. Memory of its own, row-major
 * [x][y][z]; axes shorter than the patch lie in the middle of air.
 */
export function drawSparsePatch(
  volume: DrawnFrom,
  reader: PreparedReader,
  size: Triple,
  { sparse, minimumForeground }: SparseRule,
  random: Random,
): Float32Array {
  const covered = coveredBy(volume, size);
  let best: { readonly box: Float32Array; readonly density: number } | undefined;
  for (let tries = 0; tries < sparse.tries; tries++) {
    const start = startOffTheSides(volume, size, sparse, random);
    const box = reader.readBox(start, covered);
    const density = densityOf(box, sliceAfter(volume, reader, start, covered), covered[2], sparse.denseFrom);
    const isForegroundEnough = minimumForeground === 0 || foregroundOf(box, volume.airThreshold) >= minimumForeground;
    if (density <= sparse.mostDense && isForegroundEnough) return framed(box, covered, size, volume.airValue);
    if (best === undefined || density < best.density) best = { box, density };
  }
  return framed(best?.box ?? reader.readBox(drawStart(volume, size, random), covered), covered, size, volume.airValue);
}

/** Start positions of the public code: from the margin to size − patch − 1 − margin, along z three slices less. */
function startOffTheSides({ sizeVoxels }: DrawnFrom, size: Triple, { marginVoxels }: SparsePatchPlan, random: Random): Triple {
  const along = (axis: 0 | 1 | 2): number => {
    const first = marginVoxels[axis];
    const last = sizeVoxels[axis] - size[axis] - 1 - first - (axis === 2 ? SLICES_AHEAD : 0);
    return last >= first ? random.integer(first, last) : random.integer(0, Math.max(0, sizeVoxels[axis] - size[axis]));
  };
  return [along(0), along(1), along(2)];
}

/** The voxels behind a box along z; none at the end of the volume. */
function sliceAfter(
  volume: DrawnFrom,
  reader: PreparedReader,
  [x, y, z]: Triple,
  [nx, ny, nz]: Triple,
): Float32Array | undefined {
  return z + nz < volume.sizeVoxels[2] ? reader.readBox([x, y, z + nz], [nx, ny, 1]) : undefined;
}

/** Mean over the box's voxels: 1 where a voxel is dense, one half where only the next one along z is. */
function densityOf(box: Float32Array, after: Float32Array | undefined, depth: number, denseFrom: number): number {
  let sum = 0;
  for (let i = 0; i < box.length; i++) {
    if ((box[i] as number) >= denseFrom) sum += 1;
    else {
      const isLast = (i + 1) % depth === 0;
      const next = isLast ? after?.[(i + 1) / depth - 1] : box[i + 1];
      if (next !== undefined && next >= denseFrom) sum += 0.5;
    }
  }
  return sum / box.length;
}

function foregroundOf(box: Float32Array, airThreshold: number): number {
  let count = 0;
  for (let i = 0; i < box.length; i++) if ((box[i] as number) > airThreshold) count++;
  return count / box.length;
}
