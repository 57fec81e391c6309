import { decodeRange, scaleCount, scaleNameOf } from './decode-range.js';
import { decodeElements } from './number-format.js';

/** All 65,536 halves, in order. */
const everyHalf = new Uint8Array(Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits).buffer);

describe('decodeRange', () => {
  it.each(['F16', 'BF16'] as const)('decodes every %s as the slow, independent reader does', (dtype) => {
    const into = new Float32Array(1 << 16);
    decodeRange(everyHalf, dtype, into);
    const expected = decodeElements(everyHalf, dtype);
    expect(into.findIndex((value, index) => !Object.is(value, expected[index]))).toBe(-1);
  });

  it('decodes halves to known values: one, the smallest subnormal, infinity, minus zero', () => {
    const into = new Float32Array(4);
    decodeRange(new Uint8Array(Uint16Array.of(0x3c00, 0x0001, 0x7c00, 0x8000).buffer), 'F16', into);
    expect([...into]).toEqual([1, 2 ** -24, Infinity, -0]);
  });

  it('copies 32-bit floats from any address', () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
    const into = new Float32Array(2);
    decodeRange(bytes.subarray(1), 'F32', into);
    expect([...into]).toEqual([1.5, -2]);
  });

  it('gives every channel its scale, wherever the range starts', () => {
    // Three channels of two elements: [1, -2 | 3, -128 | 127, 0] times [0.5, 2, 0.25].
    const scales = Float32Array.of(0.5, 2, 0.25);
    const integers = Int8Array.of(1, -2, 3, -128, 127, 0);
    const whole = [0.5, -1, 6, -256, 31.75, 0];
    for (let from = 0; from < 6; from++) {
      for (let to = from + 1; to <= 6; to++) {
        const into = new Float32Array(to - from);
        decodeRange(new Uint8Array(integers.buffer, from, to - from), 'I8', into, { scales, elementsPerScale: 2, from });
        expect([...into]).toEqual(whole.slice(from, to));
      }
    }
  });

  it('rounds the product of scale and integer once, to 32 bits', () => {
    const into = new Float32Array(1);
    const scales = Float32Array.of(0.1);
    decodeRange(new Uint8Array(Int8Array.of(77).buffer), 'I8', into, { scales, elementsPerScale: 1, from: 0 });
    expect(into[0]).toBe(Math.fround(Math.fround(0.1) * 77));
  });

  it('knows where scales are stored and how many a tensor has', () => {
    expect(scaleNameOf('encoder.weight')).toBe('encoder.weight#scale');
    expect([[32, 16, 3, 3, 3], [4, 2], [7], []].map(scaleCount)).toEqual([32, 4, 1, 1]);
  });
});
