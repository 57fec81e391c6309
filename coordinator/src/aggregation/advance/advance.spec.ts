import type { RecipePlan } from '@consilium/shared/wire';
import { foldNumbers, type Numbers } from '../../../../test/fixtures/fold-numbers.js';

/** Folds one site's deltas, a round each, and returns what every round left. */
async function rounds(
  recipe: RecipePlan,
  base: number[],
  deltas: number[][],
): Promise<{ next: Numbers; state: Numbers | null }[]> {
  const left: { next: Numbers; state: Numbers | null }[] = [];
  for (const delta of deltas) {
    const before = left.at(-1);
    left.push(
      await foldNumbers({
        base: before?.next ?? { w: base },
        state: before?.state ?? null,
        updates: [{ siteName: 'x', patches: 1, deltas: { w: delta } }],
        recipe,
      }),
    );
  }
  return left;
}

/** The last round's weights, checked to 32 bits. */
function expectNear(actual: readonly number[] | undefined, expected: readonly number[]): void {
  expect(actual?.length).toBe(expected.length);
  for (const [place, value] of expected.entries()) expect(actual?.[place]).toBeCloseTo(value, 6);
}

describe('how a model advances, computed by hand', () => {
  it('fedavgm: the velocity remembers the deltas before', async () => {
    const recipe: RecipePlan = { name: 'fedavgm', serverLearningRate: 0.5, momentum: 0.5 };
    const [first, second] = await rounds(
      recipe,
      [10, 0],
      [
        [4, -2],
        [1, 0],
      ],
    );
    // v = Δ = [4, −2]; x = [10, 0] + 0.5·v. Then v = 0.5·[4, −2] + [1, 0] = [3, −1]; x = [12, −1] + 0.5·v.
    expect(first?.next).toEqual({ w: [12, -1] });
    expect(first?.state).toEqual({ 'momentum/w': [4, -2] });
    expect(second?.next).toEqual({ w: [13.5, -1.5] });
    expect(second?.state).toEqual({ 'momentum/w': [3, -1] });
  });

  it('fedadagrad: squares add up from τ² on', async () => {
    const recipe: RecipePlan = { name: 'fedadagrad', serverLearningRate: 1, tau: 4 };
    const [first, second] = await rounds(
      recipe,
      [0, 0],
      [
        [3, 0],
        [0, 3],
      ],
    );
    // v = 16 + [9, 0] = [25, 16]; x = [3/(5+4), 0]. Then v = [25, 25]; x = [1/3, 3/9].
    expect(first?.state).toEqual({ 'second/w': [25, 16] });
    expectNear(first?.next['w'], [1 / 3, 0]);
    expect(second?.state).toEqual({ 'second/w': [25, 25] });
    expectNear(second?.next['w'], [1 / 3, 1 / 3]);
  });

  it('fedadam: two moving means, the second from τ² on, neither corrected', async () => {
    const recipe: RecipePlan = { name: 'fedadam', serverLearningRate: 1, beta1: 0.5, beta2: 0.75, tau: 2 };
    const [first, second] = await rounds(recipe, [0], [[4], [0]]);
    // m = 0.5·4 = 2; v = 0.75·4 + 0.25·16 = 7; x = 2/(√7 + 2). Then m = 1; v = 5.25; x += 1/(√5.25 + 2).
    expect(first?.state).toEqual({ 'first/w': [2], 'second/w': [7] });
    expectNear(first?.next['w'], [2 / (Math.sqrt(7) + 2)]);
    expect(second?.state).toEqual({ 'first/w': [1], 'second/w': [5.25] });
    expectNear(second?.next['w'], [2 / (Math.sqrt(7) + 2) + 1 / (Math.sqrt(5.25) + 2)]);
  });

  it('fedyogi: the second moment moves by the square, up or down', async () => {
    const recipe: RecipePlan = { name: 'fedyogi', serverLearningRate: 1, beta1: 0, beta2: 0.75, tau: 2 };
    const [first] = await rounds(recipe, [0, 0, 0], [[4, 1, 2]]);
    // v₋₁ = 4. Δ² = 16 > 4: v = 4 + 0.25·16 = 8. Δ² = 1 < 4: v = 4 − 0.25 = 3.75. Δ² = 4: v stays 4.
    expect(first?.state).toEqual({ 'first/w': [4, 1, 2], 'second/w': [8, 3.75, 4] });
    expectNear(first?.next['w'], [4 / (Math.sqrt(8) + 2), 1 / (Math.sqrt(3.75) + 2), 0.5]);
  });

  it('a second moment that leaves the range of 32 bits is a diverged training, not a model that stands still', async () => {
    const recipe: RecipePlan = { name: 'fedadam', serverLearningRate: 1e-3, beta1: 0.9, beta2: 0.9, tau: 1e-3 };
    await expect(rounds(recipe, [0], [[1e25]])).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' });
  });
});
