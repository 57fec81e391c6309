import { objectiveSchema } from '@consilium/shared/wire';
import { isAdversary, lacksAdversary } from './adversary-share.js';

const CT = { modality: 'CT' } as const;
const MR = { modality: 'MR' } as const;

describe('a site’s share of the adversary', () => {
  it.each(['reversal', 'alternating'])('is nothing with one modality, where sites train it (%s)', (mode) => {
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode } });
    expect([[CT], [MR, MR], [CT, MR, CT]].map((volumes) => lacksAdversary(objective, volumes))).toEqual([true, true, false]);
  });

  it.each(['none', 'frozen'])('is the same at every site otherwise (%s)', (mode) => {
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode } });
    expect(lacksAdversary(objective, [CT])).toBe(false);
  });

  it('is named by its parameters', () => {
    expect(['modality.m1.0.weight', 'scale.0.weight', 'e1.0.weight'].map(isAdversary)).toEqual([true, false, false]);
  });
});
