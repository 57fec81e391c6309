import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { describeIntensities, type IntensityStatistics } from './intensity-statistics.js';

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/intensity-goldens/goldens.json'), 'utf8')) as Readonly<
  Record<string, IntensityStatistics>
>;

const COUNT = 30_011;

/** The same values as the golden script makes: formulas of Knuth's multiplicative hash. */
function made(formula: (u: number) => number, count = COUNT): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => formula((Math.imul(i + 1, 2654435761) >>> 0) / 2 ** 32));
}

const CASES: Readonly<Record<string, Float32Array>> = {
  hounsfield: made((u) => Math.floor(u * u * 4025) - 1024),
  magnitudes: made((u) => (u < 0.4 ? 0 : 1700 * u * u * u)),
  tiny: made((u) => u * 1e-6),
  huge: made((u) => (u - 0.5) * 1e30),
  'two values': made((u) => (u < 0.003 ? 5 : -7)),
  bytes: made((u) => Math.floor(u * 253)),
  'all zero': made((u) => u * 0),
  constant: made((u) => u * 0 + 3.25),
  'one voxel': made((u) => u * 100, 1),
};

describe('describeIntensities', () => {
  it('has a golden for every case', () => expect(Object.keys(CASES)).toEqual(Object.keys(goldens)));

  it.each(Object.entries(goldens))('agrees with NumPy: %s', (name, golden) => {
    const { mean, lowPercentile, highPercentile, ...exact } = describeIntensities(CASES[name] ?? new Float32Array());
    const { mean: goldenMean, lowPercentile: low, highPercentile: high, ...goldenExact } = golden;
    expect(exact).toEqual(goldenExact);
    const scale = Math.max(Math.abs(golden.minimum), Math.abs(golden.maximum));
    for (const [ours, reference] of [
      [mean, goldenMean],
      [lowPercentile, low],
      [highPercentile, high],
    ] as const) {
      expect(Math.abs(ours - reference)).toBeLessThanOrEqual(1e-12 * scale);
    }
  });

  it('counts every voxel once and does not change them', () => {
    const voxels = CASES['hounsfield']?.slice() ?? new Float32Array();
    const before = voxels.slice();
    expect(describeIntensities(voxels).histogram.reduce((sum, count) => sum + count, 0)).toBe(voxels.length);
    expect(voxels).toEqual(before);
  });

  it('measures part of a larger buffer', () => {
    const whole = Float32Array.of(99, 1, 2, 3, -99);
    expect(describeIntensities(whole.subarray(1, 4))).toMatchObject({ minimum: 1, maximum: 3, mean: 2 });
  });

  it('refuses an empty array', () => expect(() => describeIntensities(new Float32Array())).toThrow(RangeError));

  it('takes less than a fifth of a second of processor time for 128 × 128 × 64 voxels', () => {
    const voxels = made((u) => Math.floor(u * u * 4025) - 1024, 128 * 128 * 64);
    const before = process.cpuUsage();
    describeIntensities(voxels);
    const { user } = process.cpuUsage(before);
    expect(user / 1000).toBeLessThan(200);
  });
});
