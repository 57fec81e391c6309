import { objectiveSchema } from '@consilium/shared/wire';
import { makeUpdateReport } from '../../../test/fixtures/make-assignment.js';
import { describeTrained } from './round-words.js';

const round = (objective: unknown) => ({ roundNumber: 3, objective: objectiveSchema.parse(objective) });
const GENESIS = round({ kind: 'models-genesis' });

describe('the line at the end of a site’s work in a round', () => {
  it('tells time, loss and the skill of the base, and nothing of heads that a model has not', () => {
    const report = { ...makeUpdateReport(), waitedMs: 20 };
    expect(describeTrained(GENESIS, { report, peakResidentBytes: 2 ** 30 })).toMatch(
      /^round 3: trained in .*, mean loss 0\.1000, skill of the base 0\.500, 2.*waiting for patches, at most 1.* of memory$/,
    );
  });

  it('tells the monitors of a universal model, of the base and of what was trained', () => {
    const seen = (restorationError: number, accuracy: number, featureRank: number) => ({
      patches: 12,
      restoration: [
        { modality: 'MR' as const, patches: 12, restorationError, constantError: 0.1, skill: 1 - 10 * restorationError },
      ],
      scaleAccuracy: accuracy,
      modalityAccuracy: 1 - accuracy,
      featureRank,
    });
    const monitors = { base: seen(0.08, 0.25, 2.04), trained: seen(0.06, 0.5, 3.5) };
    const line = describeTrained(round({ kind: 'universal-model' }), { report: { ...makeUpdateReport(), monitors } });
    expect(line).toMatch(
      /; from the base to the update: restoration error MR 0\.0800 → 0\.0600, scale accuracy 0\.25 → 0\.50, modality accuracy 0\.75 → 0\.50, feature rank 2\.0 → 3\.5$/,
    );
  });

  it('calls an adversary round’s work done, not trained', () => {
    const report = { ...makeUpdateReport(), baseScore: undefined };
    const frozen = { kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 3 } };
    expect(describeTrained({ ...round(frozen), roundNumber: 2 }, { report })).toBe('round 2: done in 1.0 s, mean loss 0.1000');
  });
});
