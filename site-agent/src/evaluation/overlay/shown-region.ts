import type { Triple, Volume } from '../../volumes/volume.js';

/** The part of a volume that a picture shows, and the voxel that its slices go through. */
export interface ShownRegion {
  readonly from: Triple;
  readonly sizeVoxels: Triple;
  readonly centre: Triple;
}

/** Around the structure: half its size on each side, and at least this much. */
const LEAST_MARGIN_MM = 15;

/**
 * The box around everything that the maps mark, with a margin; its centre is the centre of mass of the first map. The whole
 * volume and its middle when nothing is marked.
 */
export function shownRegion(
  { sizeVoxels, spacingMm }: Pick<Volume, 'sizeVoxels' | 'spacingMm'>,
  maps: readonly Uint8Array[],
): ShownRegion {
  const marks = maps.map((map) => measure(map, sizeVoxels));
  const [own] = marks;
  if (own === undefined || own.voxels === 0) {
    return { from: [0, 0, 0], sizeVoxels, centre: each((axis) => Math.floor(sizeVoxels[axis] / 2)) };
  }
  const filled = marks.filter(({ voxels }) => voxels > 0);
  const low = each((axis) => Math.min(...filled.map((mark) => mark.low[axis])));
  const high = each((axis) => Math.max(...filled.map((mark) => mark.high[axis])));
  const margin = each((axis) => Math.ceil(Math.max(LEAST_MARGIN_MM / spacingMm[axis], (high[axis] - low[axis] + 1) / 2)));
  const from = each((axis) => Math.max(0, low[axis] - margin[axis]));
  const to = each((axis) => Math.min(sizeVoxels[axis], high[axis] + 1 + margin[axis]));
  return {
    from,
    sizeVoxels: each((axis) => to[axis] - from[axis]),
    centre: each((axis) => Math.round(own.sum[axis] / own.voxels)),
  };
}

function each(valueOf: (axis: 0 | 1 | 2) => number): Triple {
  return [valueOf(0), valueOf(1), valueOf(2)];
}

interface Mark {
  readonly voxels: number;
  readonly low: Triple;
  readonly high: Triple;
  /** Of the indices of all marked voxels. */
  readonly sum: Triple;
}

function measure(map: Uint8Array, [nx, ny, nz]: Triple): Mark {
  let [x0, y0, z0, x1, y1, z1] = [nx, ny, nz, -1, -1, -1];
  let [voxels, sumX, sumY, sumZ] = [0, 0, 0, 0];
  for (let row = 0; row < nx * ny; row++) {
    const before = voxels;
    for (let z = 0; z < nz; z++) {
      if (map[row * nz + z] === 0) continue;
      voxels++;
      sumZ += z;
      if (z < z0) z0 = z;
      if (z > z1) z1 = z;
    }
    if (voxels === before) continue;
    const [x, y] = [Math.floor(row / ny), row % ny];
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    sumX += x * (voxels - before);
    sumY += y * (voxels - before);
  }
  return { voxels, low: [x0, y0, z0], high: [x1, y1, z1], sum: [sumX, sumY, sumZ] };
}
