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
  const [first] = maps;
  const marks = maps.map((map) => measure(map, sizeVoxels));
  const own = first === undefined ? undefined : marks[0];
  if (own === undefined || own.voxels === 0) {
    return { from: [0, 0, 0], sizeVoxels, centre: each((axis) => Math.floor(sizeVoxels[axis] / 2)) };
  }
  const filled = marks.filter(({ voxels }) => voxels > 0);
  const low = each((axis) => Math.min(...filled.map((mark) => mark.low[axis] ?? 0)));
  const high = each((axis) => Math.max(...filled.map((mark) => mark.high[axis] ?? 0)));
  const margin = each((axis) => Math.ceil(Math.max(LEAST_MARGIN_MM / spacingMm[axis], (high[axis] - low[axis] + 1) / 2)));
  const from = each((axis) => Math.max(0, low[axis] - margin[axis]));
  const to = each((axis) => Math.min(sizeVoxels[axis], high[axis] + 1 + margin[axis]));
  return {
    from,
    sizeVoxels: each((axis) => to[axis] - from[axis]),
    centre: each((axis) => Math.round((own.sum[axis] ?? 0) / own.voxels)),
  };
}

function each(valueOf: (axis: 0 | 1 | 2) => number): Triple {
  return [valueOf(0), valueOf(1), valueOf(2)];
}

function measure(map: Uint8Array, [, ny, nz]: Triple) {
  const [low, high, sum] = [
    [Infinity, Infinity, Infinity],
    [-1, -1, -1],
    [0, 0, 0],
  ];
  let voxels = 0;
  for (let voxel = 0; voxel < map.length; voxel++) {
    if (map[voxel] === 0) continue;
    voxels++;
    const at = [Math.floor(voxel / (ny * nz)), Math.floor(voxel / nz) % ny, voxel % nz];
    for (let axis = 0; axis < 3; axis++) {
      const index = at[axis] as number;
      low[axis] = Math.min(low[axis] as number, index);
      high[axis] = Math.max(high[axis] as number, index);
      sum[axis] = (sum[axis] as number) + index;
    }
  }
  return { voxels, low, high, sum };
}
