import { fromEngineLayout, toEngineLayout, toEngineShape } from './kernel-layout.js';

describe('kernel layout', () => {
  const shape = [2, 3, 1, 2, 2];
  const values = Float32Array.from({ length: 24 }, (_, i) => i);

  it('puts element [a, b, d, h, w] at [d, h, w, b, a]', () => {
    expect(toEngineShape(shape)).toEqual([1, 2, 2, 3, 2]);
    const moved = toEngineLayout(values, shape);
    const [a, b, h, w] = [1, 2, 0, 1];
    expect(moved[((h * 2 + w) * 3 + b) * 2 + a]).toBe((a * 3 + b) * 4 + h * 2 + w);
    expect(fromEngineLayout(moved, shape)).toEqual(values);
  });

  it('copies vectors as they are', () => {
    const vector = Float32Array.of(1, 2, 3);
    const moved = toEngineLayout(vector, [3]);
    expect(moved).toEqual(vector);
    expect(moved).not.toBe(vector);
    expect(toEngineShape([3])).toEqual([3]);
  });

  it('refuses a wrong number of values', () => {
    expect(() => toEngineLayout(new Float32Array(5), [2, 3])).toThrow(/as many values/);
  });
});
