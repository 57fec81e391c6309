import { ATTEMPT_PAUSE_MS, type CampaignFacts, decideCampaign, type ScoringFacts } from './decide-campaign.js';

const active: CampaignFacts = { state: 'active', rounds: 3, attempts: 1, latestRound: null };

function after(
  number: number,
  state: 'finished' | 'failed' | 'training' | 'cancelled',
  code: string | null = null,
): CampaignFacts {
  return { ...active, latestRound: { number, attempt: 1, state, code, finishedAtMs: 0 } };
}

describe('decideCampaign', () => {
  it('plans round after round without a pause, then scores', () => {
    expect(decideCampaign(active, null, 0)).toEqual({ kind: 'plan-round', number: 1 });
    expect(decideCampaign(after(1, 'training'), null, 0)).toEqual({ kind: 'none' });
    expect(decideCampaign(after(1, 'finished'), null, 0)).toEqual({ kind: 'plan-round', number: 2 });
    expect(decideCampaign(after(3, 'finished'), null, 0)).toEqual({ kind: 'move', to: 'scoring' });
  });

  it('fails with the code of its round, also while paused', () => {
    const failed = { kind: 'move', to: 'failed', code: 'QUORUM_MISSED' };
    expect(decideCampaign(after(2, 'failed', 'QUORUM_MISSED'), null, 0)).toEqual(failed);
    expect(decideCampaign({ ...after(2, 'failed', 'QUORUM_MISSED'), state: 'paused' }, null, 0)).toEqual(failed);
  });

  it('tries a round that lacked updates again, so many times as the plan says and not at once', () => {
    const lacking = (attempt: number, code = 'QUORUM_MISSED'): CampaignFacts => ({
      ...active,
      attempts: 3,
      latestRound: { number: 2, attempt, state: 'failed', code, finishedAtMs: 1_000 },
    });
    expect(decideCampaign(lacking(1), null, 1_000)).toEqual({ kind: 'none' });
    const dueMs = 1_000 + ATTEMPT_PAUSE_MS;
    expect(decideCampaign(lacking(1), null, dueMs)).toEqual({ kind: 'plan-round', number: 2 });
    expect(decideCampaign(lacking(2, 'REQUIRED_SITE_MISSING'), null, dueMs)).toEqual({ kind: 'plan-round', number: 2 });
    expect(decideCampaign(lacking(3), null, 1_000)).toEqual({ kind: 'move', to: 'failed', code: 'QUORUM_MISSED' });
    // An operator's resume is the fourth try and begins a new set of three.
    expect(decideCampaign(lacking(5), null, dueMs)).toEqual({ kind: 'plan-round', number: 2 });
    expect(decideCampaign(lacking(6), null, dueMs)).toMatchObject({ to: 'failed' });
    // What trying again cannot help ends the campaign at once; a paused one waits.
    expect(decideCampaign(lacking(1, 'TRAINING_DIVERGED'), null, dueMs)).toMatchObject({ to: 'failed' });
    expect(decideCampaign({ ...lacking(1), state: 'paused' }, null, dueMs)).toEqual({ kind: 'none' });
  });

  it('does nothing while paused or when it has ended', () => {
    for (const state of ['paused', 'finished', 'failed', 'cancelled'] as const) {
      expect(decideCampaign({ ...after(1, 'finished'), state }, null, 0)).toEqual({ kind: 'none' });
    }
  });

  describe('while scoring', () => {
    const scoring: CampaignFacts = { ...after(3, 'finished'), state: 'scoring' };
    const facts = (...sites: ScoringFacts['sites']): ScoringFacts => ({ limitAtMs: 300_000, presenceAtMs: 15_000, sites });
    const reported = { isConnected: true, hasReported: true };
    const busy = { isConnected: true, hasReported: false };
    const away = { isConnected: false, hasReported: false };
    const finished = { kind: 'move', to: 'finished' };

    it('finishes when every site has reported', () => {
      expect(decideCampaign(scoring, facts(reported, reported), 0)).toEqual(finished);
    });

    it('waits for a connected site up to the limit', () => {
      expect(decideCampaign(scoring, facts(reported, busy), 299_999)).toEqual({ kind: 'none' });
      expect(decideCampaign(scoring, facts(reported, busy), 300_000)).toEqual(finished);
    });

    it('gives sites that are away a little time to come back', () => {
      expect(decideCampaign(scoring, facts(away, away), 14_999)).toEqual({ kind: 'none' });
      expect(decideCampaign(scoring, facts(away, reported), 15_000)).toEqual(finished);
      expect(decideCampaign(scoring, facts(away, busy), 15_000)).toEqual({ kind: 'none' });
    });
  });
});
