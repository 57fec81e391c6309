import { Random } from '@consilium/shared/kernel';
import { makeRamp, meanOver } from '../../../test/fixtures/make-patch.js';
import { intensityTable, nonlinearIntensity } from './nonlinear-intensity.js';

const SIZE = [16, 8, 8] as const;

/** NumPy's default: linear between neighbours. */
function percentileOf(values: Float32Array, percent: number): number {
  const sorted = values.toSorted();
  const position = (percent / 100) * (sorted.length - 1);
  const [low = NaN, high = NaN] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  return low + (high - low) * (position - Math.floor(position));
}

describe('nonlinearIntensity', () => {
  it('changes nothing when it is not drawn, and next to nothing along the straight line', () => {
    const patch = makeRamp(SIZE);
    expect(nonlinearIntensity.apply(nonlinearIntensity.draw({ probability: 0 }, SIZE, new Random('a')), patch)).toBe(patch);
    const line = nonlinearIntensity.apply({ control: [1 / 3, 1 / 3, 2 / 3, 2 / 3], falling: false }, patch).voxels;
    expect(Math.max(...line.map((value, index) => Math.abs(value - (patch.voxels[index] ?? NaN))))).toBeLessThan(1e-5);
  });

  it('bends intensities as the curve says and leaves its patch alone', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const half = { sizeVoxels: [1, 1, 1] as const, voxels: Float32Array.of(0.5) };
    const bright = nonlinearIntensity.apply({ control: [0, 1, 0, 1], falling: false }, half).voxels[0] ?? 0;
    // x = t³, y = 3t(1−t)² + 3t²(1−t) + t³ at x = 0.5
    const t = Math.cbrt(0.5);
    expect(bright).toBeCloseTo(3 * t * (1 - t) ** 2 + 3 * t * t * (1 - t) + t ** 3, 4);
    nonlinearIntensity.apply({ control: [0, 1, 0, 1], falling: true }, patch);
    expect(patch.voxels).toEqual(before);
  });

  it('clamps intensities outside 0…1', () => {
    const outside = { sizeVoxels: [1, 1, 2] as const, voxels: Float32Array.of(-0.5, 1.5) };
    expect([...nonlinearIntensity.apply({ control: [0.2, 0.9, 0.4, 0.1], falling: false }, outside).voxels]).toEqual([0, 1]);
    expect([...nonlinearIntensity.apply({ control: [0.2, 0.9, 0.4, 0.1], falling: true }, outside).voxels]).toEqual([1, 0]);
  });

  it('bends between the percentiles of z-scored data, and leaves a constant patch alone', () => {
    const random = new Random('z-scored');
    const voxels = Float32Array.from({ length: 1024 }, () => random.between(-3, 5));
    const [low, high] = [percentileOf(voxels, 0.1), percentileOf(voxels, 99.9)];
    const line = { control: [1 / 3, 1 / 3, 2 / 3, 2 / 3], range: 'percentiles' } as const;
    const rising = nonlinearIntensity.apply({ ...line, falling: false }, { sizeVoxels: SIZE, voxels }).voxels;
    const falling = nonlinearIntensity.apply({ ...line, falling: true }, { sizeVoxels: SIZE, voxels }).voxels;
    voxels.forEach((value, index) => {
      const within = Math.min(high, Math.max(low, value));
      const apart = Math.abs((rising[index] ?? NaN) - within) + Math.abs((falling[index] ?? NaN) - (low + high - within));
      if (!(apart < 1e-4)) throw new Error(`${value} became ${rising[index]} and ${falling[index]}`);
    });
    const constant = { sizeVoxels: SIZE, voxels: new Float32Array(1024).fill(-2) };
    expect(nonlinearIntensity.apply({ ...line, falling: true }, constant).voxels).toEqual(constant.voxels);
  });

  it('inverts the share of the maps that it is told, half of them as published', () => {
    const falling = (invertedShare?: number): number => {
      const random = new Random('share');
      const drawn = Array.from({ length: 2000 }, () => nonlinearIntensity.draw({ probability: 1, invertedShare }, SIZE, random));
      return drawn.filter((curve) => curve?.falling === true).length / drawn.length;
    };
    expect([falling(0), falling(1)]).toEqual([0, 1]);
    expect(falling()).toBe(falling(0.5));
    expect(Math.abs(falling() - 0.5)).toBeLessThan(0.04);
    expect(Math.abs(falling(0.1) - 0.1)).toBeLessThan(0.03);
  });

  it('refuses bad arguments', () => {
    expect(() => nonlinearIntensity.draw({ probability: 1, invertedShare: 2 }, SIZE, new Random('a'))).toThrow(/invertedShare/);
    expect(() => nonlinearIntensity.draw({ probability: -1 }, SIZE, new Random('a'))).toThrow(
      expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
    );
  });

  it('rises from (0,0) to (1,1) without falling, or runs from (0,1) to (1,0)', () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const curve = nonlinearIntensity.draw({ probability: 1 }, SIZE, new Random(`curve/${seed}`));
      if (curve === undefined) throw new Error('drawn with probability 1');
      const table = intensityTable(curve);
      const [first, last] = curve.falling ? [1, 0] : [0, 1];
      if (Math.abs((table[0] ?? NaN) - first) > 1e-9 || Math.abs((table.at(-1) ?? NaN) - last) > 1e-9) throw new Error('ends');
      for (let cell = 1; !curve.falling && cell < table.length; cell++) {
        if ((table[cell] as number) < (table[cell - 1] as number) - 1e-12) throw new Error(`curve ${seed} falls at ${cell}`);
      }
    }
  });

  it('is drawn in 90 % and falls in half of the drawings', () => {
    const drawn = (random: Random) => nonlinearIntensity.draw({ probability: 0.9 }, SIZE, random);
    expect(Math.abs(meanOver(6_000, (random) => Number(drawn(random) !== undefined)) - 0.9)).toBeLessThan(0.012);
    expect(Math.abs(meanOver(6_000, (random) => Number(drawn(random)?.falling ?? false)) - 0.45)).toBeLessThan(0.018);
  });
});
