import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { manifestOf } from '@consilium/shared/models';
import { parameterCount } from '@consilium/shared/weights';
import { partOfRound, representationRounds } from '@consilium/shared/wire';
import { readCampaignFile } from '../../coordinator/src/commands/campaign-file.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const FOLDER = join(PROJECT_ROOT, 'deploy/campaigns');
const files = readdirSync(FOLDER);
const planOf = (name: string) => readCampaignFile(join(FOLDER, `${name}.yaml`));

describe('the example campaigns', () => {
  it.each(files)('%s is a sound campaign, named as its file', (file) => {
    const plan = readCampaignFile(join(FOLDER, file));
    expect(`${plan.name}.yaml`).toBe(file);
    expect(parameterCount(manifestOf(plan.model))).toBeGreaterThan(1e6);
  });

  it('of the ablations train the same U-Net for as long, and differ in what they leave out', () => {
    const ablations = ['restoration', 'scale', 'adversary', 'both', 'single-modality'].map((name) => planOf(`ablation-${name}`));
    const weights = ablations.map(({ objective }) =>
      objective.kind === 'universal-model' ? [objective.scaleWeight, objective.adversary.mode, objective.modalities] : [],
    );
    expect(weights).toEqual([
      [0, 'none', undefined],
      [1, 'none', undefined],
      [0, 'reversal', undefined],
      [1, 'reversal', undefined],
      [1, 'none', ['CT']],
    ]);
    const [first] = ablations;
    for (const { training, patch, rounds, seed } of ablations)
      expect({ training, patch, rounds, seed }).toEqual({
        training: first?.training,
        patch: first?.patch,
        rounds: first?.rounds,
        seed: first?.seed,
      });
  });

  it('of the federated forms give the representation as many rounds as the centralised ones', () => {
    const [central, frozen] = [planOf('universal-centralised'), planOf('universal-federated')];
    expect(representationRounds(frozen.objective, frozen.rounds)).toBe(central.rounds);
    expect([1, 2, 5, 6].map((round) => partOfRound(frozen.objective, round))).toEqual([
      'representation',
      'adversary',
      'adversary',
      'representation',
    ]);
  });
});
