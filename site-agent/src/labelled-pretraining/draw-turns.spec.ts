import { drawTurns } from './draw-turns.js';
import type { Balance } from './labelled-recipe.js';

describe('whose turn it is', () => {
  const cases = [100, 25, 4];
  const shares = (balance: Balance): number[] => {
    const turns = drawTurns(cases, 20_000, balance, 3);
    return cases.map((_, index) => turns.filter(({ collection }) => collection === index).length / turns.length);
  };

  it.each([
    ['equal', [1 / 3, 1 / 3, 1 / 3]],
    ['square-root', [10 / 17, 5 / 17, 2 / 17]],
    ['cases', [100 / 129, 25 / 129, 4 / 129]],
  ] as const)('is drawn with the shares of "%s"', (balance, wanted) => {
    shares(balance).forEach((share, index) => expect(Math.abs(share - (wanted[index] ?? 0))).toBeLessThan(0.015));
  });

  it('counts the places of each collection, and does not depend on how many steps follow', () => {
    const turns = drawTurns(cases, 200, 'square-root', 7);
    for (const index of cases.keys()) {
      const places = turns.filter(({ collection }) => collection === index).map(({ place }) => place);
      expect(places).toEqual([...places.keys()]);
    }
    expect(drawTurns(cases, 50, 'square-root', 7)).toEqual(turns.slice(0, 50));
    expect(drawTurns(cases, 200, 'square-root', 8)).not.toEqual(turns);
  });
});
