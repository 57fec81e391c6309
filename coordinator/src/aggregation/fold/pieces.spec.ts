import { elementCount, type Manifest } from '@consilium/shared/weights';
import { BLOCK_ELEMENTS, cutIntoPieces, PIECE_ELEMENTS } from './pieces.js';

function manifestOf(...shapes: number[][]): Manifest {
  return { tensors: shapes.map((shape, index) => ({ name: `t${index}`, shape, dtype: 'F32', scope: 'federated' })) };
}

describe('cutIntoPieces', () => {
  it('covers every element once, in order, in pieces that fit and at whole blocks', () => {
    const manifest = manifestOf([7], [PIECE_ELEMENTS, 2], [], [0, 4], [1023], [3 * PIECE_ELEMENTS + 5], [64]);
    const pieces = cutIntoPieces(manifest);
    const expected = manifest.tensors.map(({ shape }) => elementCount(shape));
    const reached = expected.map(() => 0);
    let last = 0;
    for (const { runs, elements } of pieces) {
      expect(elements).toBeLessThanOrEqual(PIECE_ELEMENTS);
      expect(runs.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(elements);
      for (const { tensor, from, to } of runs) {
        expect(tensor).toBeGreaterThanOrEqual(last);
        expect(from).toBe(reached[tensor]);
        expect(from % BLOCK_ELEMENTS).toBe(0);
        expect(to).toBeGreaterThan(from);
        reached[tensor] = to;
        last = tensor;
      }
    }
    expect(reached).toEqual(expected);
  });

  it('puts small tensors together', () => {
    expect(cutIntoPieces(manifestOf(...Array.from({ length: 100 }, () => [64])))).toHaveLength(1);
    expect(cutIntoPieces(manifestOf())).toEqual([]);
  });
});
