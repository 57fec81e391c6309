import type { ParticipationState } from '@consilium/shared/wire';
import { decideRound, type ParticipationFacts, type RoundFacts } from './decide-round.js';

const round: RoundFacts = { state: 'training', quorum: 2, graceMs: 1_000, deadlineAtMs: 60_000 };

function sites(...states: (ParticipationState | number)[]): ParticipationFacts[] {
  return states.map((state) =>
    typeof state === 'number' ? { state: 'delivered', deliveredAtMs: state } : { state, deliveredAtMs: null },
  );
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
    const failed = { kind: 'close', to: 'failed', code: 'QUORUM_MISSED' };
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

  it('repeats the fold until it is recorded and leaves ended rounds alone', () => {
    expect(decideRound({ ...round, state: 'aggregating' }, sites(1, 2), 0)).toEqual({ kind: 'fold' });
    for (const state of ['finished', 'failed', 'cancelled'] as const) {
      expect(decideRound({ ...round, state }, sites('training'), 1e9)).toEqual({ kind: 'done' });
    }
  });
});
