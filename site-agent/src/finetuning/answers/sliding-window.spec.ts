import { cutPatch } from '../cases/cut-patch.js';
import { axisStarts, planWindows, predictVolume } from './sliding-window.js';
import type { WindowPlan } from './window-plan.js';

describe('sliding window', () => {
  it('spreads windows evenly with at least the asked overlap, the last one flush with the end', () => {
    expect(axisStarts(64, 32, 0.5)).toEqual([0, 16, 32]);
    expect(axisStarts(70, 32, 0.5)).toEqual([0, 13, 25, 38]);
    expect(axisStarts(32, 32, 0.5)).toEqual([0]);
    expect(axisStarts(33, 32, 0)).toEqual([0, 1]);
  });

  it('puts one padded window around an axis shorter than the patch', () => {
    expect(axisStarts(29, 32, 0.5)).toEqual([-1]);
    expect(planWindows([29, 64, 8], [32, 32, 8], 0.5)).toEqual([
      [-1, 0, 0],
      [-1, 16, 0],
      [-1, 32, 0],
    ]);
  });

  it.each([
    [40, 16],
    [17, 16],
    [100, 24],
    [5, 8],
  ])('covers every voxel of an axis of %d with patches of %d', (size, patch) => {
    const covered = new Set<number>();
    for (const start of axisStarts(size, patch, 0.5)) for (let i = start; i < start + patch; i++) covered.add(i);
    for (let voxel = 0; voxel < size; voxel++) expect(covered).toContain(voxel);
  });

  it('refuses an overlap that never ends', () => {
    expect(() => planWindows([8, 8, 8], [8, 8, 8], 1)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
  });

  it('cuts with zeros outside the volume', () => {
    const target = new Float32Array(8).fill(9);
    cutPatch(Float32Array.of(1, 2, 3, 4), [1, 2, 2], [-1, 0, 1], [2, 2, 2], target);
    expect([...target]).toEqual([0, 0, 0, 0, 2, 0, 4, 0]);
  });

  const one = { outputs: 1, from: 0, to: 1 };
  const size = [11, 7, 20] as const;
  const volume = Float32Array.from({ length: 11 * 7 * 20 }, (_, index) => Math.sin(index));
  const identity = (patch: Float32Array): Float32Array => patch.slice();

  it.each([
    ['gaussian', []],
    ['mean', []],
    ['gaussian', ['x', 'z']],
    ['mean', ['x', 'y', 'z']],
  ] as const)('gives back what an identity network sees: %s, mirrored along %j', async (weighting, axes) => {
    const plan = { overlap: 0.5, weighting, mirrorAxes: [...axes] };
    const result = await predictVolume(
      { intensities: volume, sizeVoxels: size },
      { patch: [8, 8, 8], range: one, windows: plan },
      identity,
    );
    result.forEach((value, voxel) => expect(value).toBeCloseTo(volume[voxel] ?? NaN, 6));
  });

  it('weights by a Gaussian of an eighth of the patch, as an outright sum over all windows does', async () => {
    const patch = [8, 4, 8] as const;
    const answer = (input: Float32Array): Float32Array => input.map((value, index) => value * (1 + (index % 7)));
    const result = await predictVolume({ intensities: volume, sizeVoxels: size }, { patch, range: one }, answer);
    const [sums, weights] = [new Float64Array(volume.length), new Float64Array(volume.length)];
    const input = new Float32Array(8 * 4 * 8);
    const bell = (at: number, side: number): number =>
      Math.max(1e-3, Math.exp(-((at - (side - 1) / 2) ** 2) / (2 * (side / 8) ** 2)));
    for (const start of planWindows(size, patch, 0.5)) {
      cutPatch(volume, size, start, patch, input);
      answer(input).forEach((value, index) => {
        const within = [Math.floor(index / 32), Math.floor(index / 8) % 4, index % 8];
        const [x = 0, y = 0, z = 0] = within.map((at, axis) => at + (start[axis] ?? 0));
        if (x < 0 || y < 0 || z < 0 || x >= size[0] || y >= size[1] || z >= size[2]) return;
        const weight = within.reduce((product, at, axis) => product * bell(at, patch[axis] ?? 1), 1);
        const voxel = (x * size[1] + y) * size[2] + z;
        sums[voxel] = (sums[voxel] ?? 0) + weight * value;
        weights[voxel] = (weights[voxel] ?? 0) + weight;
      });
    }
    result.forEach((value, voxel) => expect(value).toBeCloseTo((sums[voxel] ?? NaN) / (weights[voxel] ?? NaN), 5));
  });

  const six = { intensities: new Float32Array(6), sizeVoxels: [1, 1, 6] } as const;

  it('averages overlapping windows, each output for itself', async () => {
    let window = 0;
    const answer = (patch: Float32Array): Float32Array => {
      window++;
      return Float32Array.from({ length: 2 * patch.length }, (_, index) => (index % 2 === 0 ? window : 10 * window));
    };
    const plan: WindowPlan = { overlap: 0.5, weighting: 'mean', mirrorAxes: [] };
    const both = await predictVolume(six, { patch: [1, 1, 4], range: { outputs: 2, from: 0, to: 2 }, windows: plan }, answer);
    expect(window).toBe(2);
    expect([...both]).toEqual([1, 10, 1, 10, 1.5, 15, 1.5, 15, 2, 20, 2, 20]);
    window = 0;
    const second = await predictVolume(six, { patch: [1, 1, 4], range: { outputs: 2, from: 1, to: 2 }, windows: plan }, answer);
    expect([...second]).toEqual([10, 10, 15, 15, 20, 20]);
  });

  it('mirrors what the network sees, and turns its answer back', async () => {
    const seen: number[][] = [];
    const first = (patch: Float32Array): Float32Array => {
      seen.push([...patch]);
      return patch.map((_, index) => (index === 0 ? 1 : 0)); // always the first voxel of what it sees
    };
    const plan: WindowPlan = { overlap: 0, weighting: 'mean', mirrorAxes: ['z'] };
    const result = await predictVolume(
      { intensities: Float32Array.of(1, 2, 3), sizeVoxels: [1, 1, 3] },
      { patch: [1, 1, 3], range: one, windows: plan },
      first,
    );
    expect(seen).toEqual([
      [1, 2, 3],
      [3, 2, 1],
    ]);
    expect([...result]).toEqual([0.5, 0, 0.5]);
  });

  it('pauses after each window, where it can be told how far it is and be ended', async () => {
    const shares: number[] = [];
    const pause = (share: number): Promise<void> => {
      shares.push(share);
      return share === 1 ? Promise.reject(new Error('enough')) : Promise.resolve();
    };
    const plan = { patch: [1, 1, 4] as const, range: one, pause };
    await expect(predictVolume(six, plan, identity)).rejects.toThrow('enough');
    expect(shares).toEqual([0.5, 1]);
  });
});
