import { Random } from '@consilium/shared/kernel';
import { coveredShare } from '../../../test/fixtures/covered-share.js';
import { makeRamp, meanOver, sameBits } from '../../../test/fixtures/make-patch.js';
import { outPaint } from './out-paint.js';

const SIZE = [64, 64, 32] as const;

function keptShare(before: Float32Array, after: Float32Array): number {
  let kept = 0;
  for (let index = 0; index < before.length; index++) if (before[index] === after[index]) kept++;
  return kept / before.length;
}

describe('outPaint', () => {
  it('changes nothing when its window is the whole patch', () => {
    const patch = makeRamp(SIZE);
    const { voxels } = outPaint.apply({ windows: [{ start: [0, 0, 0], size: SIZE }], fill: 'noise', seed: 'a' }, patch);
    expect(sameBits(voxels, patch.voxels)).toBe(true);
  });

  it('keeps exactly its windows and leaves its patch alone', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const { voxels } = outPaint.apply({ windows: [{ start: [4, 5, 6], size: [30, 30, 15] }], fill: 'flat', seed: 'a' }, patch);
    expect(keptShare(before, voxels)).toBeCloseTo((30 * 30 * 15) / before.length, 4);
    expect(voxels[(4 * 64 + 5) * 32 + 6]).toBe(before[(4 * 64 + 5) * 32 + 6]);
    expect(voxels[(3 * 64 + 5) * 32 + 6]).toBe(voxels[0]);
    expect(sameBits(patch.voxels, before)).toBe(true);
  });

  it('refuses bad arguments', () => {
    expect(() => outPaint.draw({ fill: '' as 'flat' }, SIZE, new Random('a'))).toThrow(
      expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
    );
  });

  it('keeps 31 % on average, between 8.3 % and 67 % always', () => {
    const shares = Array.from({ length: 2_000 }, (_, index) =>
      coveredShare(outPaint.draw({ fill: 'noise' }, SIZE, new Random(`kept/${index}`)).windows, SIZE),
    );
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) / shares.length - 0.31)).toBeLessThan(0.01);
    expect(Math.min(...shares)).toBeGreaterThan(0.083);
    expect(Math.max(...shares)).toBeLessThan(0.67);
  });

  it('keeps one window that is 10 to 20 shorter than the patch in the first generation, a chain in the second', () => {
    const draw = (generation: 'v0' | 'v1', index: number) =>
      outPaint.draw({ fill: 'noise', generation }, SIZE, new Random(`generation/${index}`)).windows;
    const cuts = Array.from({ length: 2_000 }, (_, index) => draw('v0', index)).flatMap((windows) => {
      expect(windows.length).toBe(1);
      return windows.flatMap(({ size }) => size.map((side, axis) => (SIZE[axis] ?? NaN) - side));
    });
    expect([Math.min(...cuts), Math.max(...cuts)]).toEqual([10, 20]);
    const lengths = Array.from({ length: 2_000 }, (_, index) => draw('v1', index).length);
    expect(Math.abs(lengths.reduce((sum, length) => sum + length) / lengths.length - 20)).toBeLessThan(1.3);
  });

  it('keeps one to five windows that fit, in patches of every size', () => {
    for (const size of [SIZE, [16, 16, 8], [8, 8, 8], [24, 40, 16]] as const) {
      for (let seed = 0; seed < 200; seed++) {
        const { windows } = outPaint.draw({ fill: 'flat' }, size, new Random(`fits/${seed}`));
        if (windows.length < 1 || windows.length > 5) throw new Error(`${windows.length} windows`);
        for (const { start, size: sides } of windows) {
          const fits = start.every((at, axis) => at >= 0 && at + (sides[axis] ?? 0) <= (size[axis] ?? 0));
          if (!fits) throw new Error(`${sides.join('×')} at ${start.join(', ')} in ${size.join('×')}`);
        }
      }
    }
    expect(
      Math.abs(meanOver(3000, (random) => Number(outPaint.draw({ fill: 'flat' }, SIZE, random).windows.length === 1)) - 0.05),
    ).toBeLessThan(0.012);
  });
});
