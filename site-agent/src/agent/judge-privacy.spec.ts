import { digestOfBytes } from '@consilium/shared/kernel';
import { objectiveSchema, type PrivacyPlan } from '@consilium/shared/wire';
import { CENTRAL, LOCAL, privatePlan } from '../../../test/fixtures/make-privacy.js';
import { type PrivacyLimits, privacyRefusal } from './judge-privacy.js';
import type { PrivacyRecord } from './privacy-ledger.js';

const delta = 1e-5;

function spent(count: number, privacy: PrivacyPlan, campaignId = 'campaign_1'): PrivacyRecord[] {
  const { form, clipNorm, noiseMultiplier } = privacy;
  return Array.from({ length: count }, (_, round) => ({
    ...{ participationId: `part_${round}`, updateDigest: digestOfBytes(`${campaignId}/${round}`), campaignId },
    ...{ campaignName: campaignId, roundNumber: round, form, clipNorm, noiseMultiplier, delta, atMs: 0 },
  }));
}

describe('whether a plan suits a site’s limits of privacy', () => {
  it.each<[string, PrivacyPlan | undefined, Omit<PrivacyLimits, 'delta'>, string | undefined]>([
    ['nothing asked, nothing promised', undefined, {}, undefined],
    ['nothing asked, something promised', LOCAL, {}, undefined],
    ['any form asked, none promised', undefined, { required: 'any' }, 'PRIVACY_REQUIRED'],
    ['any form asked', CENTRAL, { required: 'any' }, undefined],
    ['the local form asked, the central one promised', CENTRAL, { required: 'local' }, 'PRIVACY_REQUIRED'],
    ['the local form asked and promised', LOCAL, { required: 'local' }, undefined],
    ['a budget and no promise: no ε holds', undefined, { epsilon: 1000 }, 'PRIVACY_REQUIRED'],
    ['a total budget and no promise', undefined, { totalEpsilon: 1000 }, 'PRIVACY_REQUIRED'],
    ['losses and scores would leave', { ...LOCAL, figures: 'all' }, { required: 'any' }, 'PRIVACY_REQUIRED'],
    ['losses and scores would leave, and nothing is asked', { ...LOCAL, figures: 'all' }, {}, undefined],
    ['one round is too much already', LOCAL, { epsilon: 2 }, 'PRIVACY_BUDGET_SPENT'],
    ['one round fits', LOCAL, { epsilon: 2.2 }, undefined],
  ])('%s', (_what, privacy, limits, expected) => {
    expect(privacyRefusal(privatePlan(privacy), [], { ...limits, delta })).toBe(expected);
  });

  it('counts what this campaign spent before, and all campaigns against the total', () => {
    const limits = { epsilon: 5, delta };
    const rounds = Array.from({ length: 12 }, (_, n) => privacyRefusal(privatePlan(LOCAL), spent(n, LOCAL), limits));
    const first = rounds.indexOf('PRIVACY_BUDGET_SPENT');
    expect(first).toBeGreaterThan(1);
    expect(rounds.slice(first)).toEqual(rounds.slice(first).map(() => 'PRIVACY_BUDGET_SPENT'));
    const elsewhere = spent(first, LOCAL, 'campaign_2');
    expect(privacyRefusal(privatePlan(LOCAL), elsewhere, limits)).toBeUndefined();
    expect(privacyRefusal(privatePlan(LOCAL), elsewhere, { totalEpsilon: 5, delta })).toBe('PRIVACY_BUDGET_SPENT');
  });

  it('counts the central form as replacement where it meets others in the total', () => {
    // Multiplier 2: 2.166 for a site zeroed, 4.729 for one replaced (test/fixtures/privacy-goldens).
    const under = (totalEpsilon: number) => privacyRefusal(privatePlan(CENTRAL), [], { totalEpsilon, delta });
    expect([under(4.72), under(4.73)]).toEqual(['PRIVACY_BUDGET_SPENT', undefined]);
    const alone = (epsilon: number) => privacyRefusal(privatePlan(CENTRAL), [], { epsilon, delta });
    expect([alone(2.16), alone(2.17)]).toEqual(['PRIVACY_BUDGET_SPENT', undefined]);
  });

  it('refuses a promise that its plan does not keep, whatever the site asks for', () => {
    const control = privatePlan(LOCAL, { localRule: { kind: 'control-variates', control: null } });
    expect(privacyRefusal(control, [], { delta })).toBe('PRIVACY_REQUIRED');
    for (const mode of ['reversal', 'alternating', 'frozen']) {
      const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode } });
      expect(privacyRefusal(privatePlan(LOCAL, { objective }), [], { delta })).toBe('PRIVACY_REQUIRED');
    }
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'none' } });
    expect(privacyRefusal(privatePlan(LOCAL, { objective }), [], { delta })).toBeUndefined();
    expect(privacyRefusal(privatePlan(LOCAL, { localRule: { kind: 'proximal', mu: 1 } }), [], { delta })).toBeUndefined();
  });
});
