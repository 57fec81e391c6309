import { Random } from '@consilium/shared/kernel';
import { decodeElements, encodeElements } from '@consilium/shared/weights';
import { halfTable, toHalf } from './half-floats.js';

/** The bits that the weights' codec, written independently, gives. */
function encoded(values: Float32Array): Uint16Array {
  return new Uint16Array(encodeElements(values, 'F16').slice().buffer);
}

describe('half floats', () => {
  it('round as the codec of weights does, at every magnitude and at ties', () => {
    const random = new Random('halves');
    const drawn = Array.from({ length: 20_000 }, () => random.between(-1, 1) * 2 ** random.integer(-28, 17));
    const ties = [
      0,
      -0,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      2 ** -14 - 2 ** -25,
      2 ** -25,
      3 * 2 ** -25,
      65504,
      65519,
      65520,
      Infinity,
    ];
    const values = Float32Array.from([...drawn, ...ties]);
    expect(Uint16Array.from(values, toHalf)).toEqual(encoded(values));
  });

  it('come back exactly, all 65,536 of them', () => {
    const patterns = Uint16Array.from({ length: 1 << 16 }, (_, index) => index);
    expect(halfTable()).toEqual(decodeElements(new Uint8Array(patterns.buffer), 'F16'));
  });
});
