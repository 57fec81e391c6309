import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { addGaussianNoise, noiseKey } from './index.js';

interface Golden {
  readonly secret: string;
  readonly purpose: object;
  readonly key: string;
  readonly first: number;
  readonly values: readonly number[];
}
const { noise } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/privacy-goldens/goldens.json'), 'utf8')) as {
  noise: Golden[];
};

const SECRET = Buffer.alloc(32, 7);
const KEY = noiseKey(SECRET, { participation: 'part_1' });
const noiseOf = (key: Uint8Array, first: number, count: number, deviation = 1): Float64Array => {
  const values = new Float64Array(count);
  addGaussianNoise(values, key, first, deviation);
  return values;
};

describe('Gaussian noise', () => {
  it('is what another program makes of the same secret, purpose and place', () => {
    for (const { secret, purpose, key: named, first, values } of noise) {
      const key = noiseKey(Buffer.from(secret, 'hex'), purpose);
      expect(Buffer.from(key).toString('hex')).toBe(named);
      noiseOf(key, first, values.length).forEach((value, index) => expect(value).toBeCloseTo(values[index] ?? NaN, 13));
    }
  });

  it('is the same in whatever ranges it is made', () => {
    const whole = noiseOf(KEY, 0, 20_001);
    for (const cuts of [[1], [3, 4, 5, 8191, 8192, 8193], [16_384], [20_000]]) {
      const edges = [0, ...cuts, whole.length];
      const parts = edges.slice(1).flatMap((to, index) => [...noiseOf(KEY, edges[index] ?? 0, to - (edges[index] ?? 0))]);
      expect(parts).toEqual([...whole]);
    }
  });

  it('has the moments, the tails and the independence of the normal distribution', () => {
    const count = 400_000;
    const values = noiseOf(KEY, 0, count);
    const mean = (of: (value: number, index: number) => number): number =>
      values.reduce((sum, value, index) => sum + of(value, index), 0) / count;
    const within = (actual: number, expected: number, deviation: number): void =>
      expect(Math.abs(actual - expected)).toBeLessThan((4.5 * deviation) / Math.sqrt(count));
    within(
      mean((x) => x),
      0,
      1,
    );
    within(
      mean((x) => x ** 2),
      1,
      Math.sqrt(2),
    );
    within(
      mean((x) => x ** 3),
      0,
      Math.sqrt(15),
    );
    within(
      mean((x) => x ** 4),
      3,
      Math.sqrt(96),
    );
    for (const lag of [1, 2, 3])
      within(
        mean((x, i) => x * (values[(i + lag) % count] ?? 0)),
        0,
        1,
      );
    const tail = 0.0026997960632601866; // beyond three deviations
    within(
      mean((x) => (Math.abs(x) > 3 ? 1 : 0)),
      tail,
      Math.sqrt(tail),
    );
    // Two elements of one block share a radius: their squares must be independent all the same.
    within(
      mean((x, i) => (x ** 2 - 1) * ((values[i ^ 1] ?? 0) ** 2 - 1)),
      0,
      2,
    );
  });

  it('differs with the secret and with everything that its purpose names', () => {
    const keys = [
      KEY,
      noiseKey(Buffer.alloc(32, 8), { participation: 'part_1' }),
      noiseKey(SECRET, { participation: 'part_2' }),
      noiseKey(SECRET, { participation: 'part_1', delta: 'sha256:0' }),
    ];
    const firsts = keys.map((key) => noiseOf(key, 0, 1)[0]);
    expect(new Set(firsts).size).toBe(keys.length);
    const [one, other] = [noiseOf(keys[0] as Uint8Array, 0, 100_000), noiseOf(keys[2] as Uint8Array, 0, 100_000)];
    const correlation = one.reduce((sum, value, i) => sum + value * (other[i] ?? 0), 0) / one.length;
    expect(Math.abs(correlation)).toBeLessThan(4.5 / Math.sqrt(one.length));
  });

  it('is added, by its deviation', () => {
    const values = Float64Array.of(5, -1, 2);
    addGaussianNoise(values, KEY, 10, 0.5);
    const plain = noiseOf(KEY, 10, 3);
    expect([...values]).toEqual([5, -1, 2].map((value, i) => value + 0.5 * (plain[i] ?? 0)));
  });
});
