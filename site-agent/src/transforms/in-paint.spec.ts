import { Random } from '@consilium/shared/kernel';
import { coveredShare } from '../../../test/fixtures/covered-share.js';
import { makeRamp, meanOver, sameBits } from '../../../test/fixtures/make-patch.js';
import { inPaint } from './in-paint.js';
import { MOST_WINDOWS_OF_CHAIN } from './paint-window.js';
import { eachRun } from './transform.js';

const SIZE = [64, 64, 32] as const;

function changedShare(before: Float32Array, after: Float32Array): number {
  let changed = 0;
  for (let index = 0; index < before.length; index++) if (before[index] !== after[index]) changed++;
  return changed / before.length;
}

describe('inPaint', () => {
  it('changes nothing without windows', () => {
    const patch = makeRamp(SIZE);
    expect(inPaint.apply({ windows: [], fill: 'noise', seed: 'a' }, patch)).toBe(patch);
  });

  it('paints inside its windows only and leaves its patch alone', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const windows = [{ start: [3, 5, 7], size: [10, 12, 6] }] as const;
    const inside = new Set<number>();
    eachRun(windows[0], SIZE, (offset, length) => Array.from({ length }, (_, z) => inside.add(offset + z)));
    const { voxels } = inPaint.apply({ windows, fill: 'noise', seed: 'a' }, patch);
    voxels.forEach((value, index) => {
      if (!inside.has(index) && value !== before[index]) throw new Error(`voxel ${index} outside the window changed`);
    });
    expect(changedShare(before, voxels)).toBeCloseTo((10 * 12 * 6) / before.length, 4);
    expect(sameBits(patch.voxels, before)).toBe(true);
  });

  it('fills with noise in [0, 1), or with one value per window', () => {
    const patch = makeRamp(SIZE);
    const windows = [
      { start: [3, 3, 3], size: [10, 10, 5] },
      { start: [40, 40, 20], size: [10, 10, 5] },
    ] as const;
    const first = (voxels: Float32Array): number[] => [...voxels.subarray((3 * 64 + 3) * 32 + 3, (3 * 64 + 3) * 32 + 8)];
    expect(new Set(first(inPaint.apply({ windows, fill: 'noise', seed: 'a' }, patch).voxels)).size).toBe(5);
    const flat = inPaint.apply({ windows, fill: 'flat', seed: 'a' }, patch).voxels;
    expect(new Set(first(flat)).size).toBe(1);
    expect(flat[(40 * 64 + 40) * 32 + 20]).not.toBe(flat[(3 * 64 + 3) * 32 + 3]);
  });

  it('refuses bad arguments', () => {
    expect(() => inPaint.draw({ fill: 'stripes' as 'flat' }, SIZE, new Random('a'))).toThrow('paintFill');
  });

  it('masks 5.6 % on average, nothing in 5 % of the drawings, never more than five windows', () => {
    const masked = Array.from({ length: 2_000 }, (_, index) =>
      coveredShare(inPaint.draw({ fill: 'noise' }, SIZE, new Random(`masked/${index}`)).windows, SIZE),
    );
    expect(Math.abs(masked.reduce((sum, share) => sum + share) / masked.length - 0.056)).toBeLessThan(0.002);
    expect(Math.max(...masked)).toBeLessThan(0.125);
    const windows = (random: Random): number => inPaint.draw({ fill: 'noise' }, SIZE, random).windows.length;
    expect(Math.abs(meanOver(5_000, (random) => Number(windows(random) === 0)) - 0.05)).toBeLessThan(0.01);
    expect(Math.max(...Array.from({ length: 500 }, (_, index) => windows(new Random(`most/${index}`))))).toBe(5);
  });

  it('paints one window of 10 to 20 voxels a side in the first generation, an endless chain in the second', () => {
    const draw = (generation: 'v0' | 'v1', index: number, size: typeof SIZE | readonly [16, 16, 8] = SIZE) =>
      inPaint.draw({ fill: 'flat', generation }, size, new Random(`generation/${index}`)).windows;
    const sides = Array.from({ length: 2_000 }, (_, index) => draw('v0', index)).flatMap((windows) => {
      expect(windows.length).toBe(1);
      return windows.flatMap(({ size }) => [...size]);
    });
    expect([Math.min(...sides), Math.max(...sides)]).toEqual([10, 20]);
    expect(Math.abs(sides.reduce((sum, side) => sum + side) / sides.length - 15)).toBeLessThan(0.2);
    expect(draw('v0', 1, [16, 16, 8])[0]?.size[2]).toBe(2); // three voxels from either border
    const lengths = Array.from({ length: 2_000 }, (_, index) => draw('v1', index).length);
    expect(Math.abs(lengths.reduce((sum, length) => sum + length) / lengths.length - 19)).toBeLessThan(1.3); // 0.95 / 0.05
    expect(Math.max(...lengths)).toBeGreaterThan(60);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MOST_WINDOWS_OF_CHAIN);
  });

  it('keeps windows inside, three voxels from the border, in patches of every size', () => {
    for (const size of [SIZE, [16, 16, 8], [8, 8, 8], [96, 96, 96]] as const) {
      for (let seed = 0; seed < 200; seed++) {
        for (const { start, size: sides } of inPaint.draw({ fill: 'flat' }, size, new Random(`inside/${seed}`)).windows) {
          const fits = start.every((at, axis) => at >= 3 && at + (sides[axis] ?? 0) <= (size[axis] ?? 0) - 3);
          if (!fits || Math.min(...sides) < 1) throw new Error(`${sides.join('×')} at ${start.join(', ')} in ${size.join('×')}`);
        }
      }
    }
  });
});
