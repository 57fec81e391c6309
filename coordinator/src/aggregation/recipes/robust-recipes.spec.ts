import type { RecipePlan } from '@consilium/shared/wire';
import { type FoldedNumbers, foldNumbers } from '../../../../test/fixtures/fold-numbers.js';

/** One vector for each site; the sites' names are in the order of the vectors. */
function foldVectors(recipe: RecipePlan, vectors: number[][]): Promise<FoldedNumbers> {
  const updates = vectors.map((vector, index) => ({
    siteName: `site-${String(index).padStart(3, '0')}`,
    patches: 10 ** index,
    deltas: { w: vector },
  }));
  return foldNumbers({ base: { w: vectors[0]?.map(() => 0) ?? [] }, updates, recipe });
}

const column = (...values: number[]): number[][] => values.map((value) => [value]);

describe('median', () => {
  it('takes the middle of an odd number, place by place, whatever the patches', async () => {
    const { next } = await foldVectors({ name: 'median' }, [
      [1, 9],
      [100, 7],
      [2, -50],
    ]);
    expect(next).toEqual({ w: [2, 7] });
  });

  it('takes the mean of the two in the middle of an even number', async () => {
    expect((await foldVectors({ name: 'median' }, column(8, 1, 4, -90))).next).toEqual({ w: [2.5] });
    expect((await foldVectors({ name: 'median' }, column(8))).next).toEqual({ w: [8] });
  });

  it('sorts many sites as well as few', async () => {
    // 0, 7, 14, … modulo 61 are the numbers 0 to 60 in disorder.
    const values = Array.from({ length: 61 }, (_, index) => (index * 7) % 61);
    expect((await foldVectors({ name: 'median' }, column(...values))).next).toEqual({ w: [30] });
  });
});

describe('trimmed-mean', () => {
  it('leaves out the same number at each end, rounded down', async () => {
    // ⌊0.2·5⌋ = 1: of −90, 1, 3, 5, 800 remain 1, 3, 5. ⌊0.2·4⌋ = 0: nothing is left out.
    const recipe: RecipePlan = { name: 'trimmed-mean', trim: 0.2 };
    expect((await foldVectors(recipe, column(5, 800, 1, -90, 3))).next).toEqual({ w: [3] });
    expect((await foldVectors(recipe, column(1, 2, 3, 10))).next).toEqual({ w: [4] });
  });
});

describe('krum', () => {
  const vectors = [
    [0, 0],
    [2, 0],
    [0, 1],
    [90, 90],
    [1, 0],
  ];

  it('keeps the update that its neighbours agree with most, and names the others', async () => {
    // n = 5, f = 1: the 2 closest. Scores: 1+1 = 2, 1+4 = 5, 1+2 = 3, far, 1+1 = 2; of equals the first site.
    const { next, outcome } = await foldVectors({ name: 'krum', byzantine: 1 }, vectors);
    expect(next).toEqual({ w: [0, 0] });
    expect(outcome.foldedSites).toEqual(['site-000']);
    expect(outcome.leftOut).toEqual(
      ['site-001', 'site-002', 'site-003', 'site-004'].map((siteName) => ({ siteName, code: 'NOT_CHOSEN' })),
    );
  });

  it('counts one neighbour when there are too few updates for its promise', async () => {
    expect((await foldVectors({ name: 'krum', byzantine: 1 }, column(7))).next).toEqual({ w: [7] });
    expect((await foldVectors({ name: 'krum', byzantine: 1 }, column(4, 7))).next).toEqual({ w: [4] });
  });

  it('multi-krum: the plain mean of those with the lowest scores', async () => {
    // Scores 2, 5, 3, far, 2: the three lowest are sites 0, 2 and 4; all but one bad one are 0, 1, 2 and 4.
    const three = await foldVectors({ name: 'multi-krum', byzantine: 1, kept: 3 }, vectors);
    expect(three.next).toEqual({ w: [Math.fround(1 / 3), Math.fround(1 / 3)] });
    expect(three.outcome.foldedSites).toEqual(['site-000', 'site-002', 'site-004']);
    const allButBad = await foldVectors({ name: 'multi-krum', byzantine: 1 }, vectors);
    expect(allButBad.next).toEqual({ w: [0.75, 0.25] });
    const more = await foldVectors({ name: 'multi-krum', byzantine: 1, kept: 99 }, column(1, 3));
    expect(more.next).toEqual({ w: [2] });
  });
});
