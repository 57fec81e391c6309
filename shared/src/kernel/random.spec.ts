import { Random } from './random.js';

describe('Random', () => {
  it('gives the same numbers for the same seed, on every machine and version', () => {
    const random = new Random('golden');
    // Recorded once; a change here would change every campaign's patches and initial weights.
    expect([random.uint32(), random.uint32(), random.uint32(), random.uint32()]).toEqual(GOLDEN);
  });

  it('follows the published xoshiro128** recurrence', () => {
    const random = new Random('reference');
    const state = new Uint32Array([random['a'], random['b'], random['c'], random['d']]);
    for (let i = 0; i < 1000; i++) expect(random.uint32()).toBe(referenceStep(state));
  });

  it('fills arrays with the very numbers it would give one by one', () => {
    const [single, many] = [new Random('fill'), new Random('fill')];
    const words = many.fillUint32(new Uint32Array(10), 2, 8);
    expect([...words]).toEqual([0, 0, ...Array.from({ length: 6 }, () => single.uint32()), 0, 0]);
    expect([...many.fillUniform24(new Float32Array(5))]).toEqual(Array.from({ length: 5 }, () => single.uniform24()));
    expect(many.uint32()).toBe(single.uint32());
  });

  it('forks independent streams without advancing itself', () => {
    const random = new Random('parent');
    const undisturbed = new Random('parent').uint32();
    const left = random.fork('left').uint32();
    expect(random.fork('right').uint32()).not.toBe(left);
    expect(random.uint32()).toBe(undisturbed);
  });

  it('is uniform: mean, variance and every one of 16 bins', () => {
    const random = new Random('uniform');
    const bins = new Array<number>(16).fill(0);
    let sum = 0;
    let squares = 0;
    const draws = 160_000;
    for (let i = 0; i < draws; i++) {
      const value = random.uniform();
      sum += value;
      squares += value * value;
      bins[Math.floor(value * 16)] = (bins[Math.floor(value * 16)] ?? 0) + 1;
    }
    expect(sum / draws).toBeCloseTo(0.5, 2);
    expect(squares / draws - (sum / draws) ** 2).toBeCloseTo(1 / 12, 2);
    for (const count of bins) expect(Math.abs(count - draws / 16)).toBeLessThan(400); // about 4 standard deviations
  });

  it('draws integers over the whole inclusive range', () => {
    const random = new Random('integers');
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(-2, 3)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
  });

  it('shuffles into a permutation', () => {
    const values = Float32Array.from({ length: 100 }, (_, i) => i);
    new Random('shuffle').shuffle(values);
    expect([...values]).not.toEqual([...values].sort((a, b) => a - b));
    expect(new Set(values).size).toBe(100);
  });
});

function referenceStep(s: Uint32Array): number {
  const rotate = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0;
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = s;
  const result = Math.imul(rotate(Math.imul(s1, 5) >>> 0, 7), 9) >>> 0;
  const t = (s1 << 9) >>> 0;
  const c = (s2 ^ s0) >>> 0;
  const d = (s3 ^ s1) >>> 0;
  s[1] = s1 ^ c;
  s[0] = s0 ^ d;
  s[2] = c ^ t;
  s[3] = rotate(d, 11);
  return result;
}

const GOLDEN = [2577225142, 185732501, 807188805, 2788649259];
