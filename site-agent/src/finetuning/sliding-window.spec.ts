import { axisStarts, cutPatch, planWindows, predictVolume } from './sliding-window.js';

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

  it('gives back what an identity network sees, whatever the overlaps and paddings', () => {
    const size = [11, 7, 20] as const;
    const voxels = Float32Array.from({ length: 11 * 7 * 20 }, (_, index) => index / 2048);
    const result = predictVolume(voxels, size, [8, 8, 8], 1, (patch) => patch.slice());
    expect(result).toEqual(voxels);
  });

  it('averages overlapping windows, each output for itself', () => {
    let window = 0;
    const result = predictVolume(new Float32Array(6), [1, 1, 6], [1, 1, 4], 2, (patch) => {
      window++;
      return Float32Array.from({ length: 2 * patch.length }, (_, index) => (index % 2 === 0 ? window : 10 * window));
    });
    expect(window).toBe(2);
    expect([...result]).toEqual([1, 10, 1, 10, 1.5, 15, 1.5, 15, 2, 20, 2, 20]);
  });
});
