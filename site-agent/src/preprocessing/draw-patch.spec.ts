import { Random } from '@consilium/shared/kernel';
import { cutPatch, drawPatch } from './draw-patch.js';
import type { PreparedVolume } from './prepared-volume.js';

type Sides = readonly [number, number, number];

function volume(
  sizeVoxels: Sides,
  value: (x: number, y: number, z: number) => number,
  modality: 'CT' | 'MR' = 'CT',
): PreparedVolume {
  const [nx, ny, nz] = sizeVoxels;
  const voxels = new Float32Array(nx * ny * nz);
  for (let x = 0; x < nx; x++)
    for (let y = 0; y < ny; y++) for (let z = 0; z < nz; z++) voxels[(x * ny + y) * nz + z] = value(x, y, z);
  return { digest: 'sha256:00', modality, sizeVoxels, spacingMm: [1, 1, 1], voxels };
}

function foregroundOf(patch: Float32Array, threshold: number): number {
  return patch.filter((value) => value > threshold).length / patch.length;
}

describe('cutPatch', () => {
  it('cuts the box at its start', () => {
    const patch = cutPatch(
      volume([5, 6, 7], (x, y, z) => 100 * x + 10 * y + z),
      [1, 2, 3],
      [2, 3, 4],
    );
    expect([patch[0], patch[1], patch[4], patch[12], patch.at(-1)]).toEqual([123, 124, 133, 223, 246]);
  });

  it('centres short axes in zeros', () => {
    const patch = cutPatch(
      volume([8, 8, 2], () => 1),
      [0, 0, 0],
      [8, 8, 8],
    );
    expect([...patch.subarray(0, 8)]).toEqual([0, 0, 0, 1, 1, 0, 0, 0]);
    expect(foregroundOf(patch, 0.5)).toBe(2 / 8);
  });
});

describe('drawPatch', () => {
  const size = [8, 8, 8] as const;

  it('draws every position about equally often and never beyond the border', () => {
    const source = volume([12, 8, 8], (x) => x / 100 + 0.5);
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 2000; seed++) {
      const start = Math.round(((drawPatch(source, size, 0, new Random(`p/${seed}`))[0] ?? 0) - 0.5) * 100);
      counts.set(start, (counts.get(start) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4]);
    for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(70);
  });

  it('avoids air by the threshold of the modality', () => {
    const half =
      (value: number) =>
      (x: number): number =>
        x >= 48 ? value : 0;
    for (const [modality, value] of [
      ['CT', 0.3],
      ['MR', 0.1],
    ] as const) {
      const source = volume([64, 8, 8], half(value), modality);
      for (let seed = 0; seed < 50; seed++) {
        expect(foregroundOf(drawPatch(source, size, 0.5, new Random(`a/${seed}`)), 0.05)).toBeGreaterThanOrEqual(0.5);
      }
    }
    // 0.2 is air in CT: every place is as good as another, and the drawing still ends.
    expect(drawPatch(volume([64, 8, 8], half(0.2)), size, 0.5, new Random('ct'))).toHaveLength(512);
  });

  it('takes the best of its tries when none is good enough', () => {
    const source = volume([64, 8, 8], (x) => (x >= 56 ? 1 : 0));
    const shares = Array.from({ length: 50 }, (_, seed) =>
      foregroundOf(drawPatch(source, size, 1, new Random(`b/${seed}`)), 0.5),
    );
    expect(shares.reduce((sum, share) => sum + share, 0) / 50).toBeGreaterThan(0.8); // one position in 57 is perfect
  });

  it('does not count padding as air', () => {
    const source = volume([16, 16, 2], (x) => (x < 8 ? 1 : 0));
    const patch = drawPatch(source, size, 0.9, new Random('thin'));
    expect(foregroundOf(patch, 0.5)).toBeGreaterThanOrEqual(0.9 * 0.25);
  });
});
