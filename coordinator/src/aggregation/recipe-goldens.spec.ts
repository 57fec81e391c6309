import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecipePlan } from '@consilium/shared/wire';
import { foldNumbers, type Numbers } from '../../../test/fixtures/fold-numbers.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';

/** Made by make-aggregation-goldens.py with Flower, and from the papers' equations where Flower has no such strategy. */
interface Goldens {
  readonly base: Numbers;
  readonly sites: readonly { siteName: string; patches: number; staleness: number }[];
  readonly sitesOfCampaign: number;
  readonly deltas: readonly (readonly Numbers[])[];
  readonly controls: readonly (readonly Numbers[])[];
  readonly cases: readonly { recipe: RecipePlan; rounds: readonly Numbers[]; carried?: readonly Numbers[] }[];
}

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/aggregation-goldens/goldens.json'), 'utf8')) as Goldens;

describe('recipes agree with Flower, or with the equations of their papers', () => {
  it.each(goldens.cases)('$recipe.name', async ({ recipe, rounds, carried }) => {
    let base = goldens.base;
    let state: Numbers | null = null;
    for (const [round, expected] of rounds.entries()) {
      const updates = goldens.sites.map(({ staleness, ...site }, index) => ({
        ...site,
        staleness: recipe.name === 'fedbuff' ? staleness : 0,
        deltas: { ...goldens.deltas[round]?.[index], ...controlsOf(recipe, round, index) },
      }));
      const folded = await foldNumbers({ base, updates, recipe, state, job: { sitesOfCampaign: goldens.sitesOfCampaign } });
      expectClose(folded.next, expected);
      if (carried !== undefined) expectClose(folded.state ?? {}, carried[round] ?? {});
      base = folded.next;
      state = folded.state;
    }
  });

  it('has goldens of every recipe but fedprox, whose rule is at the sites', () => {
    expect(goldens.cases.map(({ recipe }) => recipe.name).sort()).toEqual(
      ['fedadagrad', 'fedadam', 'fedavg', 'fedavgm', 'fedbuff', 'fedyogi', 'krum', 'median', 'multi-krum', 'scaffold'].concat(
        'trimmed-mean',
      ),
    );
  });
});

function controlsOf(recipe: RecipePlan, round: number, site: number): Numbers {
  if (recipe.name !== 'scaffold') return {};
  const controls = Object.entries(goldens.controls[round]?.[site] ?? {});
  return Object.fromEntries(controls.map(([name, values]) => [`control/${name}`, values]));
}

/** To the precision of 32 bits, in which versions and states are kept from round to round. */
function expectClose(actual: Numbers, expected: Numbers): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    const worst = values.map((value, place) => Math.abs((actual[name]?.[place] ?? NaN) - value) / (1e-2 + Math.abs(value)));
    expect(Math.max(...worst)).toBeLessThan(1e-6);
  }
}
