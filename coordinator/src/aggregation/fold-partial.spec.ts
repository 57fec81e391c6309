import { foldNumbers, type Numbers } from '../../../test/fixtures/fold-numbers.js';
import type { FoldRecipe } from './recipe.js';

const base: Numbers = { e: [1, 1], modality: [10, 20, 30] };
const whole = (siteName: string, patches: number, e: number, modality: number) => ({
  siteName,
  patches,
  deltas: { e: [e, e], modality: [modality, modality, modality] },
});
const withoutIt = (siteName: string, patches: number, e: number) => ({ siteName, patches, deltas: { e: [e, e] } });

function fold(updates: Parameters<typeof foldNumbers>[0]['updates'], recipe: FoldRecipe = { name: 'fedavg' }) {
  return foldNumbers({ base, updates, recipe, job: { mayLack: ['modality'] } });
}

describe('a fold of updates that lack what they may lack', () => {
  it('averages it over those who hold it, by their patches alone, whatever the others weigh', async () => {
    const { next } = await fold([whole('a', 1, 4, 8), withoutIt('b', 100, 0), whole('c', 3, 4, 0)]);
    expect(next['modality']).toEqual([12, 22, 32]); // (1·8 + 3·0) / 4
    expect(next['e']?.[0]).toBeCloseTo(1 + 16 / 104, 6);
  });

  it('leaves it as it is in every bit where nobody holds it', async () => {
    const { next } = await fold([withoutIt('a', 1, 1), withoutIt('b', 1, 3)]);
    expect(next).toEqual({ e: [3, 3], modality: [10, 20, 30] });
  });

  it('is the plain fold where all hold it', async () => {
    const updates = [whole('a', 1, 4, 8), whole('b', 5, 1, 2)];
    const plain = await foldNumbers({ base, updates, recipe: { name: 'fedavg' } });
    expect((await fold(updates)).next).toEqual(plain.next);
  });

  it('sorts those that are there', async () => {
    const updates = [whole('a', 1, 1, 1), whole('b', 1, 2, 2), whole('c', 1, 9, 9), withoutIt('d', 1, 2)];
    const { next } = await fold(updates, { name: 'median' });
    expect(next).toEqual({ e: [3, 3], modality: [12, 22, 32] });
  });

  it('carries moments on', async () => {
    const recipe = { name: 'fedavgm', serverLearningRate: 1, momentum: 0.5 } as const;
    const { state } = await fold([whole('a', 1, 4, 8), withoutIt('b', 1, 0)], recipe);
    expect(state).toEqual({ 'momentum/e': [2, 2], 'momentum/modality': [8, 8, 8] });
  });

  it('is refused for what it may not lack', async () => {
    const updates = [{ siteName: 'a', patches: 1, deltas: { modality: [1, 1, 1] } }];
    await expect(fold(updates)).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
  });
});
