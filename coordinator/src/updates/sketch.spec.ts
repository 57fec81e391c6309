import { Random } from '@consilium/shared/kernel';
import { cosine } from '../../../test/fixtures/cosine.js';
import { sketchOf } from '../../../test/fixtures/sketch-of.js';
import { COSINE_STANDARD_ERROR, cosineBetween, decodeSketch, RunningSketch, SKETCH_BUCKETS } from './sketch.js';

const VALUES = 40_000;

/** Sums of twelve uniform numbers are close enough to normal here. */
function drawn(random: Random): Float32Array {
  return Float32Array.from({ length: VALUES }, () => {
    let sum = -6;
    for (let k = 0; k < 12; k++) sum += random.uniform24();
    return sum;
  });
}

function estimated(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return cosineBetween(decodeSketch(sketchOf(a)), decodeSketch(sketchOf(b))) ?? Number.NaN;
}

describe('the sketch of an update', () => {
  it.each([-0.95, -0.5, 0, 0.3, 0.9])('keeps a cosine of %p within its standard error', (wanted) => {
    const random = new Random(`sketch/${wanted}`);
    const errors: number[] = [];
    for (let trial = 0; trial < 12; trial++) {
      const [a, other] = [drawn(random), drawn(random)];
      const b = a.map((value, i) => wanted * value + Math.sqrt(1 - wanted ** 2) * (other[i] as number));
      errors.push(estimated(a, b) - cosine([a, b]));
    }
    const standardError = (1 - wanted ** 2) * COSINE_STANDARD_ERROR;
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(4 * standardError);
    // Far smaller errors would mean that the estimate had seen more than the sketch.
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
    expect(spread).toBeGreaterThan(standardError / 3);
    expect(spread).toBeLessThan(2 * standardError);
  });

  it('keeps the angles of updates that follow a pattern', () => {
    const constant = new Float32Array(VALUES).fill(1);
    const alternating = constant.map((_, i) => (i % 2 === 0 ? 1 : -1));
    const halves = constant.map((_, i) => (i < VALUES / 2 ? 1 : -1));
    const runs = constant.map((_, i) => (Math.floor(i / 32) % 2 === 0 ? 1 : -1));
    const few = constant.map((_, i) => (i % 400 === 0 ? 1 : 0));
    const all = [constant, alternating, halves, runs, few];
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i)) {
        expect(Math.abs(estimated(a, b) - cosine([a, b]))).toBeLessThan(4 * COSINE_STANDARD_ERROR);
      }
    }
    expect(estimated(constant, constant.map((value) => -3 * value))).toBeCloseTo(-1, 12); // prettier-ignore
  });

  it('is linear: the sketch of a sum is the sum of the sketches', () => {
    const random = new Random('linear');
    // Whole numbers, so that every sum is exact.
    const whole = (): Float32Array => Float32Array.from({ length: VALUES }, () => random.integer(-50, 50));
    const [a, b] = [whole(), whole()];
    const [ofA, ofB] = [decodeSketch(sketchOf(a)), decodeSketch(sketchOf(b))];
    expect(decodeSketch(sketchOf(a.map((value, i) => value + (b[i] as number))))).toEqual(
      ofA.map((sum, k) => sum + (ofB[k] as number)),
    );
  });

  it('spreads the values over all buckets and both signs evenly', () => {
    const tally = new Float64Array(SKETCH_BUCKETS);
    const signs = { plus: 0, minus: 0 };
    for (let i = 0; i < 8192; i++) {
      const values = new Float32Array(8192);
      values[i] = 1;
      decodeSketch(sketchOf(values)).forEach((sum, bucket) => {
        if (sum === 0) return;
        tally[bucket] = (tally[bucket] as number) + 1;
        signs[sum > 0 ? 'plus' : 'minus']++;
      });
    }
    expect(signs.plus + signs.minus).toBe(8192);
    expect(Math.abs(signs.plus - signs.minus)).toBeLessThan(4 * Math.sqrt(8192));
    // Eight values a bucket are expected; runs of 32 fall together, which makes the tally lumpy but never lopsided.
    expect(tally.filter((count) => count === 0).length).toBeLessThan(SKETCH_BUCKETS / 50);
    expect(Math.max(...tally)).toBeLessThan(32);
  });

  it('is the same in one piece and in several, and measures the norm in 64 bits', () => {
    const values = drawn(new Random('pieces'));
    const whole = new RunningSketch();
    whole.add(values, VALUES, 3, 0);
    const pieces = new RunningSketch();
    for (let from = 0; from < VALUES; from += 3200) {
      pieces.add(values.slice(from, from + 3200), Math.min(3200, VALUES - from), 3, from);
    }
    expect(cosineBetween(decodeSketch(pieces.finish()), decodeSketch(whole.finish()))).toBeCloseTo(1, 12);
    const norm = Math.hypot(...values.subarray(0, 100));
    const short = new RunningSketch();
    short.add(Float32Array.from({ length: 128 }, (_, i) => (i < 100 ? (values[i] as number) : 0)), 100, 0, 0); // prettier-ignore
    expect(short.norm / norm).toBeCloseTo(1, 14);
  });

  it('says when a value is not finite', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(
        new RunningSketch().add(
          Float32Array.from({ length: 32 }, (_, i) => (i === 31 ? bad : 1)),
          32,
          0,
          0,
        ),
      ).toBe(false);
    }
    expect(new RunningSketch().add(new Float32Array(32).fill(3.4e38), 32, 0, 0)).toBe(true);
  });

  it('has no angle with a zero update', () => {
    expect(cosineBetween(decodeSketch(sketchOf([0, 0])), decodeSketch(sketchOf([1, 0])))).toBeUndefined();
  });
});
