import { Random } from '@consilium/shared/kernel';
import { makeRamp, meanOver } from '../../../test/fixtures/make-patch.js';
import { intensityTable, nonlinearIntensity } from './nonlinear-intensity.js';

const SIZE = [16, 8, 8] as const;

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

  it('refuses bad arguments', () => {
    expect(() => nonlinearIntensity.draw({ probability: -1 }, SIZE, new Random('a'))).toThrow(
      expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
    );
  });

  it('rises from (0,0) to (1,1) without falling, or runs from (0,1) to (1,0)', () => {
    for (let seed = 0; seed < 100; seed++) {
      const curve = nonlinearIntensity.draw({ probability: 1 }, SIZE, new Random(`curve/${seed}`));
      if (curve === undefined) throw new Error('drawn with probability 1');
      const table = intensityTable(curve);
      expect([table[0], table.at(-1)].map((value) => Number(value?.toFixed(9)))).toEqual(curve.falling ? [1, 0] : [0, 1]);
      const steps = table.map((value, cell) => value - (table[cell - 1] ?? value));
      if (!curve.falling) expect(Math.min(...steps)).toBeGreaterThanOrEqual(-1e-12);
    }
  });

  it('is drawn in 90 % and falls in half of the drawings', () => {
    const drawn = (random: Random) => nonlinearIntensity.draw({ probability: 0.9 }, SIZE, random);
    expect(Math.abs(meanOver(6_000, (random) => Number(drawn(random) !== undefined)) - 0.9)).toBeLessThan(0.012);
    expect(Math.abs(meanOver(6_000, (random) => Number(drawn(random)?.falling ?? false)) - 0.45)).toBeLessThan(0.018);
  });
});
