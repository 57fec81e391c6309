import type { Triple, Volume } from '../../volumes/volume.js';

/** A volume on cells of equal sides, in RAS order [x][y][z], z fastest. */
export interface CoarseGrid {
  readonly size: Triple;
  readonly cellMm: number;
  readonly values: Float32Array;
}

/** So many voxels along each side of a cell are averaged. */
const SAMPLES = 2;

/** Means of a few voxels for every cell: enough to see shapes, at a small part of the cost of reading every voxel. */
export function coarsen({ sizeVoxels, spacingMm, voxels }: Volume, cellMm: number): CoarseGrid {
  const cells = (axis: 0 | 1 | 2): number => Math.max(1, Math.floor((sizeVoxels[axis] * spacingMm[axis]) / cellMm));
  const size: Triple = [cells(0), cells(1), cells(2)];
  const [xs, ys, zs] = [0, 1, 2].map((axis) => samplesAlong(axis as 0 | 1 | 2));
  const values = new Float32Array(size[0] * size[1] * size[2]);
  if (xs === undefined || ys === undefined || zs === undefined) return { size, cellMm, values };
  const share = 1 / SAMPLES ** 3;
  for (let x = 0; x < xs.length; x++) {
    for (let y = 0; y < ys.length; y++) {
      const row = ((xs[x] as number) * sizeVoxels[1] + (ys[y] as number)) * sizeVoxels[2];
      const target = (((x / SAMPLES) | 0) * size[1] + ((y / SAMPLES) | 0)) * size[2];
      for (let z = 0; z < zs.length; z++) {
        const at = target + ((z / SAMPLES) | 0);
        values[at] = (values[at] as number) + share * (voxels[row + (zs[z] as number)] as number);
      }
    }
  }
  return { size, cellMm, values };

  function samplesAlong(axis: 0 | 1 | 2): Int32Array {
    const count = cells(axis) * SAMPLES;
    const step = cellMm / SAMPLES / spacingMm[axis];
    return Int32Array.from({ length: count }, (_, index) => Math.min(sizeVoxels[axis] - 1, Math.floor((index + 0.5) * step)));
  }
}
