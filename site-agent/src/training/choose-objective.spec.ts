import { objectiveSchema } from '@consilium/shared/wire';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { chooseObjective } from './choose-objective.js';

const clock = { stepsBefore: 10, steps: 40 };

function choose(mode: string, modalities: readonly string[]) {
  const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode } });
  const volumes = modalities.map((modality) => ({ modality }) as PreparedVolume);
  return chooseObjective(objective, clock, { volumes });
}

describe('what a site trains of a universal campaign', () => {
  it.each(['reversal', 'alternating'])('is all of the %s form where it has both modalities', (mode) => {
    expect(choose(mode, ['CT', 'MR', 'CT'])).toMatchObject({
      objective: {
        losses: { restorationWeight: 100, scaleWeight: 1, adversary: { mode } },
        clock,
      },
    });
  });

  it.each(['reversal', 'alternating'])('is all but the adversary where it has one modality, and the site is told: %s', (mode) => {
    const { objective, announcement } = choose(mode, ['MR', 'MR']);
    expect(objective).toMatchObject({ losses: { scaleWeight: 1, adversary: { mode: 'none' } } });
    expect(announcement).toContain('all volumes of this site are MR');
  });

  it('is all of it at every site when the adversary is frozen', () => {
    expect(choose('frozen', ['CT'])).toMatchObject({ objective: { losses: { adversary: { mode: 'frozen' } } } });
    expect(choose('frozen', ['CT']).announcement).toBeUndefined();
  });

  it('is one loss in Models Genesis', () => {
    const objective = objectiveSchema.parse({ kind: 'models-genesis' });
    expect(chooseObjective(objective, clock, { volumes: [] }).objective).toEqual({
      kind: 'answer',
      loss: 'mse',
    });
  });
});
