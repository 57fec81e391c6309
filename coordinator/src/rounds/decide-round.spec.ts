import type { ParticipationState } from '@consilium/shared/wire';
import { decideRound, type ParticipationFacts, type RoundFacts } from './decide-round.js';

const round: RoundFacts = {
  state: 'training',
  quorum: 2,
  graceMs: 1_000,
  deadlineAtMs: 60_000,
  requiredSites: [],
  isBuffered: false,
};

/** Sites a, b, c … in the given states; a number is the time since which the site's update counts. */
function sites(...states: (ParticipationState | number)[]): ParticipationFacts[] {
  return states.map((state, index) => {
    const siteName = String.fromCharCode('a'.charCodeAt(0) + index);
    if (typeof state === 'number') return { siteName, state: 'delivered', countsSinceMs: state };
    return { siteName, state, countsSinceMs: null };
  });
}

describe('decideRound', () => {
  it('invites at once, and trains as soon as one site has answered', () => {
    expect(decideRound({ ...round, state: 'planned' }, sites('invited'), 0)).toEqual({ kind: 'move', to: 'inviting' });
    const inviting: RoundFacts = { ...round, state: 'inviting' };
    expect(decideRound(inviting, sites('invited', 'invited'), 0)).toEqual({ kind: 'wait', untilMs: 60_000 });
    for (const answer of ['accepted', 'training', 'declined', 'failed', 5] as const) {
      expect(decideRound(inviting, sites('invited', answer), 0)).toEqual({ kind: 'move', to: 'training' });
    }
  });

  it('waits for the deadline while the quorum is out of sight but possible', () => {
    expect(decideRound(round, sites(10, 'training', 'invited'), 59_999)).toEqual({ kind: 'wait', untilMs: 60_000 });
  });

  it('counts the grace from the delivery that completed the quorum, whatever came after', () => {
    const facts = sites(500, 7_000, 3_000, 'training');
    expect(decideRound(round, facts, 3_999)).toEqual({ kind: 'wait', untilMs: 4_000 });
    expect(decideRound(round, facts, 4_000)).toEqual({ kind: 'close', to: 'aggregating' });
  });

  it('never lets the grace go past the deadline', () => {
    expect(decideRound(round, sites(59_900, 59_950, 'training'), 59_960)).toEqual({ kind: 'wait', untilMs: 60_000 });
    expect(decideRound(round, sites(59_900, 59_950, 'training'), 60_000)).toEqual({ kind: 'close', to: 'aggregating' });
  });

  it('folds at once when nobody is left to wait for', () => {
    expect(decideRound(round, sites(1, 2), 2)).toEqual({ kind: 'close', to: 'aggregating' });
    expect(decideRound(round, sites(1, 2, 'declined', 'failed', 'late'), 2)).toEqual({ kind: 'close', to: 'aggregating' });
  });

  it('fails as soon as the quorum has become impossible, and at the deadline', () => {
    const failed = { kind: 'close', to: 'failed', code: 'QUORUM_MISSED', missingSites: [] };
    expect(decideRound(round, sites(1, 'declined', 'failed'), 2)).toEqual(failed);
    expect(decideRound(round, sites(), 0)).toEqual(failed);
    expect(decideRound(round, sites(1, 'training', 'training'), 60_000)).toEqual(failed);
    expect(decideRound({ ...round, state: 'inviting' }, sites('invited', 'invited'), 60_000)).toEqual(failed);
  });

  it('folds what it has when the deadline comes after the quorum', () => {
    expect(decideRound({ ...round, graceMs: 1e9 }, sites(1, 2, 'training'), 60_000)).toEqual({
      kind: 'close',
      to: 'aggregating',
    });
  });

  it('does not count an update that is held back', () => {
    expect(decideRound(round, sites(1, 'quarantined', 'training'), 2)).toEqual({ kind: 'wait', untilMs: 60_000 });
    expect(decideRound(round, sites(1, 'quarantined'), 2)).toMatchObject({ to: 'failed', code: 'QUORUM_MISSED' });
  });

  describe('with required sites', () => {
    const strict: RoundFacts = { ...round, requiredSites: ['c'] };

    it('waits for them beyond quorum and grace, and counts the grace from the last of both', () => {
      expect(decideRound(strict, sites(10, 20, 'training'), 50_000)).toEqual({ kind: 'wait', untilMs: 60_000 });
      expect(decideRound(strict, sites(10, 20, 30_000, 'training'), 30_500)).toEqual({ kind: 'wait', untilMs: 31_000 });
      expect(decideRound(strict, sites(10, 20, 30_000, 'training'), 31_000)).toEqual({ kind: 'close', to: 'aggregating' });
    });

    it('says which one is missing: at once when it cannot come any more, else at the deadline', () => {
      const missing = { kind: 'close', to: 'failed', code: 'REQUIRED_SITE_MISSING', missingSites: ['c'] };
      for (const state of ['declined', 'failed', 'late', 'quarantined'] as const) {
        expect(decideRound(strict, sites(10, 20, state, 'training'), 100)).toEqual(missing);
      }
      expect(decideRound(strict, sites(10, 20), 100)).toEqual(missing); // never invited
      expect(decideRound(strict, sites(10, 20, 'delivering'), 60_000)).toEqual(missing);
      expect(decideRound(strict, sites(10, 'training', 'training'), 60_000)).toMatchObject({ code: 'QUORUM_MISSED' });
    });
  });

  describe('buffered', () => {
    const buffered: RoundFacts = { ...round, isBuffered: true };

    it('close as soon as the quorum is there, whoever is still at work', () => {
      expect(decideRound(buffered, sites(10, 'training', 'training'), 20)).toEqual({ kind: 'wait', untilMs: 60_000 });
      expect(decideRound(buffered, sites(10, 20, 'training'), 20)).toEqual({ kind: 'close', to: 'aggregating' });
    });

    it('count the late update of an earlier round like any other', () => {
      const late: ParticipationFacts = { siteName: 'a', state: 'delivered', countsSinceMs: 5 };
      expect(decideRound(buffered, [late, ...sites('training', 8)], 8)).toEqual({ kind: 'close', to: 'aggregating' });
    });
  });

  it('repeats the fold until it is recorded and leaves ended rounds alone', () => {
    expect(decideRound({ ...round, state: 'aggregating' }, sites(1, 2), 0)).toEqual({ kind: 'fold' });
    for (const state of ['finished', 'failed', 'cancelled'] as const) {
      expect(decideRound({ ...round, state }, sites('training'), 1e9)).toEqual({ kind: 'done' });
    }
  });
});
