import type { PatchSize } from '../../training/patch-batch.js';

// Of its own name, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { floor } = Math;

/** Source coordinates of the voxels of one run, in voxels: x, y and z. */
export type CoordinateRun = readonly [Float64Array, Float64Array, Float64Array];

/** Samples a run between the eight voxels around each coordinate; voxels beyond the volume count as 0. */
export function sampleTrilinear(
  target: Float32Array,
  at: number,
  source: Float32Array,
  [nx, ny, nz]: PatchSize,
  [xs, ys, zs]: CoordinateRun,
): void {
  for (let i = 0; i < xs.length; i++) {
    const x = floor(xs[i] as number);
    const y = floor(ys[i] as number);
    const z = floor(zs[i] as number);
    const tx = (xs[i] as number) - x;
    const ty = (ys[i] as number) - y;
    const tz = (zs[i] as number) - z;
    if (x >= 0 && y >= 0 && z >= 0 && x + 1 < nx && y + 1 < ny && z + 1 < nz) {
      const near = (x * ny + y) * nz + z;
      const far = near + ny * nz;
      const a = mix(source[near] as number, source[near + 1] as number, tz);
      const b = mix(source[near + nz] as number, source[near + nz + 1] as number, tz);
      const c = mix(source[far] as number, source[far + 1] as number, tz);
      const d = mix(source[far + nz] as number, source[far + nz + 1] as number, tz);
      target[at + i] = mix(mix(a, b, ty), mix(c, d, ty), tx);
    } else {
      target[at + i] = sampleAtBorder(source, [nx, ny, nz], [x, y, z], [tx, ty, tz]);
    }
  }
}

/** Labels of the nearest voxels; 0 beyond the volume. */
export function sampleLabels(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  [nx, ny, nz]: PatchSize,
  [xs, ys, zs]: CoordinateRun,
): void {
  for (let i = 0; i < xs.length; i++) {
    const x = floor((xs[i] as number) + 0.5);
    const y = floor((ys[i] as number) + 0.5);
    const z = floor((zs[i] as number) + 0.5);
    const inside = x >= 0 && y >= 0 && z >= 0 && x < nx && y < ny && z < nz;
    target[at + i] = inside ? (source[(x * ny + y) * nz + z] as number) : 0;
  }
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function sampleAtBorder(
  source: Float32Array,
  [nx, ny, nz]: PatchSize,
  [x, y, z]: PatchSize,
  [tx, ty, tz]: readonly [number, number, number],
): number {
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    const [dx, dy, dz] = [corner >> 2, (corner >> 1) & 1, corner & 1];
    const [cx, cy, cz] = [x + dx, y + dy, z + dz];
    if (cx < 0 || cy < 0 || cz < 0 || cx >= nx || cy >= ny || cz >= nz) continue;
    const weight = (dx ? tx : 1 - tx) * (dy ? ty : 1 - ty) * (dz ? tz : 1 - tz);
    sum += weight * (source[(cx * ny + cy) * nz + cz] as number);
  }
  return sum;
}
