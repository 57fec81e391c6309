import { Random } from '@consilium/shared/kernel';
import { openKernels, paddedCount } from './range-kernels.js';

const LENGTH = 48;
const kernels = openKernels(1 << 16);
const random = new Random('range kernels');
const sums = new Float64Array(kernels.buffer, 0, LENGTH);
const [w, x, y, z] = [0, 1, 2, 3].map((index) => {
  return new Float32Array(kernels.buffer, 8 * LENGTH + 4 * LENGTH * index, LENGTH);
}) as [Float32Array, Float32Array, Float32Array, Float32Array];

function draw(values: Float32Array): number[] {
  values.forEach((_, place) => (values[place] = random.between(-1, 1) * 10 ** random.integer(-8, 8)));
  return [...values];
}

describe('range kernels give the bits of plain 64-bit arithmetic', () => {
  it.each([1, 2, 3, 4])('adding %i weighted updates, from nothing and going on', (updates) => {
    const inputs = [w, x, y, z].slice(0, updates);
    const values = inputs.map(draw);
    const weights = inputs.map(() => random.between(0.1, 1000));
    const add = (start: number, place: number): number =>
      values.reduce((sum, input, index) => sum + (weights[index] ?? NaN) * (input[place] ?? NaN), start);
    kernels.addWeighted(sums, inputs, weights, false);
    const fresh = values[0]?.map((_, place) => add(0, place)) ?? [];
    expect([...sums]).toEqual(fresh);
    kernels.addWeighted(sums, inputs, weights, true);
    expect([...sums]).toEqual(fresh.map(add));
  });

  it('dividing and applying a delta', () => {
    sums.forEach((_, place) => (sums[place] = random.between(-1e3, 1e3)));
    const divided = [...sums].map((sum) => sum / 7.3);
    kernels.divide(sums, 7.3);
    expect([...sums]).toEqual(divided);
    const base = draw(x);
    kernels.applyDelta(sums, x, y, 0.3);
    expect([...y]).toEqual(base.map((value, place) => Math.fround(value + 0.3 * (divided[place] ?? NaN))));
    kernels.applyDelta(sums, x, x, 0.3);
    expect([...x]).toEqual([...y]);
  });

  it('squared distances, added lane by lane', () => {
    const [a, b] = [draw(w), draw(x)];
    const lanes = new Float64Array(8);
    a.forEach((value, place) => (lanes[place % 8] = (lanes[place % 8] ?? NaN) + (value - (b[place] ?? NaN)) ** 2));
    const half = (lane: number): number => at(lane) + at(lane + 2) + (at(lane + 4) + at(lane + 6));
    const at = (lane: number): number => lanes[lane] ?? NaN;
    expect(kernels.squaredDistance(w, x)).toBe(half(0) + half(1));
  });

  it('putting pairs in order', () => {
    const [a, b] = [draw(w), draw(x)];
    w[3] = NaN;
    kernels.order(w, x);
    expect([w[3], x[3]]).toEqual([NaN, NaN]);
    [w[3], x[3]] = [Math.min(a[3] ?? NaN, b[3] ?? NaN), Math.max(a[3] ?? NaN, b[3] ?? NaN)];
    expect([...w]).toEqual(a.map((value, place) => Math.min(value, b[place] ?? NaN)));
    expect([...x]).toEqual(a.map((value, place) => Math.max(value, b[place] ?? NaN)));
  });

  it('finding the one number that is not finite, wherever it stands', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (let place = 0; place < LENGTH; place++) {
        z.fill(3.4e38);
        expect(kernels.allFinite(z)).toBe(true);
        z[place] = bad;
        expect(kernels.allFinite(z)).toBe(false);
      }
    }
  });

  it('touch nothing beyond the array they are given', () => {
    [w, x, y, z].forEach(draw);
    const after = [...z];
    kernels.applyDelta(sums.subarray(0, 8), w.subarray(0, 8), y.subarray(LENGTH - 8), 1);
    expect([...z]).toEqual(after);
  });

  it('pads counts to whole turns', () => {
    expect([1, 8, 9, 1024].map(paddedCount)).toEqual([8, 8, 16, 1024]);
  });
});
