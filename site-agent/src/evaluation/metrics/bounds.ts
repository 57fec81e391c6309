/** A part of a volume, in voxels. */
export interface Box {
  readonly from: readonly [number, number, number];
  readonly sizeVoxels: readonly [number, number, number];
}

/** The smallest box that holds the value in any of the maps (row-major [x][y][z]); undefined when none holds it. */
export function boundsOf(maps: readonly Uint8Array[], value: number, [nx, ny, nz]: Box['sizeVoxels']): Box | undefined {
  let [x0, y0, z0] = [nx, ny, nz];
  let [x1, y1, z1] = [-1, -1, -1];
  for (let row = 0; row < nx * ny; row++) {
    for (const map of maps) {
      const line = map.subarray(row * nz, (row + 1) * nz);
      const first = line.indexOf(value);
      if (first < 0) continue;
      const [x, y] = [Math.floor(row / ny), row % ny];
      [x0, y0, z0] = [Math.min(x0, x), Math.min(y0, y), Math.min(z0, first)];
      [x1, y1, z1] = [Math.max(x1, x), Math.max(y1, y), Math.max(z1, line.lastIndexOf(value))];
    }
  }
  return x1 < 0 ? undefined : { from: [x0, y0, z0], sizeVoxels: [x1 - x0 + 1, y1 - y0 + 1, z1 - z0 + 1] };
}
