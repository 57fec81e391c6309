import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { medicalnetSpecSchema } from './medicalnet-spec.js';
import { initialWeights } from './initial-weights.js';
import { parametersOf } from './manifest-of.js';
import { fillNormal } from './normal-draws.js';

const DRAWS = 200_000;

describe('normal draws', () => {
  it('are the same bytes on every machine and in every version of Node', () => {
    const values = fillNormal(new Float32Array(100_001), new Random('normal-draws'), 0.5);
    expect(digestOfBytes(Buffer.from(values.buffer))).toBe(GOLDEN_DIGEST);
    expect(Array.from(values.subarray(0, 4))).toEqual(FIRST);
  });

  it('have the moments and the quantiles of the normal distribution', () => {
    const values = Array.from(fillNormal(new Float32Array(DRAWS), new Random('moments'), 2)).map((value) => value / 2);
    const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / DRAWS;
    // Four standard errors of each moment of that many draws.
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / DRAWS));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / DRAWS));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / DRAWS));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / DRAWS));
    const sorted = Float64Array.from(values).sort();
    for (const [share, quantile] of [
      [0.001, -3.0902],
      [0.025, -1.96],
      [0.5, 0],
      [0.84134, 1],
      [0.999, 3.0902],
    ] as const) {
      expect(Math.abs((sorted[Math.floor(share * DRAWS)] as number) - quantile)).toBeLessThan(0.06);
    }
  });

  it('do not repeat within a pair', () => {
    const values = fillNormal(new Float32Array(20_000), new Random('pairs'), 1);
    let product = 0;
    for (let i = 0; i < values.length; i += 2) product += (values[i] as number) * (values[i + 1] as number);
    expect(Math.abs(product / 10_000)).toBeLessThan(4 / Math.sqrt(10_000));
  });
});

describe('initial weights drawn normally', () => {
  it('have the deviation of Kaiming by fan-out', () => {
    const spec = medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', width: 16, head: 'none' });
    const weights = new Map(initialWeights(spec, 1).map(({ name, values }) => [name, values]));
    const large = parametersOf(spec).filter(({ name, shape }) => /conv\d\.weight$/.test(name) && (shape[0] ?? 0) >= 32);
    expect(large).toHaveLength(6);
    for (const { name, shape } of large) {
      const values = weights.get(name) ?? new Float32Array();
      const fanOut = (shape[0] as number) * 27;
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect((variance * fanOut) / 2).toBeCloseTo(1, 1);
    }
  });
});

// The same on Node 20.20, 22.23 and 24.21.
const GOLDEN_DIGEST = 'sha256:3b16dd7a1f2d6b9d926b62bd191e8ec3ba29251d201450b1268037ca1855c0ad';
const FIRST = [-0.40469640493392944, 0.4363855719566345, 0.03087456338107586, 0.5383821725845337];
