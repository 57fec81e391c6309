import { PARTICIPATION_STATES, ROUND_STATES } from '@consilium/shared/wire';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { isParticipationNews, isRoundOpen, isRoundReceiving, requireRoundMove } from './round-states.js';

describe('the states of a round', () => {
  it('allow the one way forward and an end from everywhere, nothing else', () => {
    const legal = ROUND_STATES.flatMap((from) =>
      ROUND_STATES.filter((to) => {
        try {
          requireRoundMove(from, to);
          return true;
        } catch {
          return false;
        }
      }).map((to) => `${from}>${to}`),
    );
    const forward = ['planned>inviting', 'inviting>training', 'training>aggregating', 'aggregating>finished'];
    const ends = ['planned', 'inviting', 'training', 'aggregating'].flatMap((from) => [`${from}>failed`, `${from}>cancelled`]);
    expect(legal.sort()).toEqual([...forward, ...ends].sort());
    expect(refusalOf(() => requireRoundMove('finished', 'training')).code).toBe('ROUND_TRANSITION');
  });

  it('receive until the fold begins', () => {
    expect(ROUND_STATES.filter(isRoundReceiving)).toEqual(['planned', 'inviting', 'training']);
    expect(ROUND_STATES.filter(isRoundOpen)).toEqual(['planned', 'inviting', 'training', 'aggregating']);
  });
});

describe('news of a participation', () => {
  it('may skip states but never go back', () => {
    expect(isParticipationNews('invited', 'delivered')).toBe(true);
    expect(isParticipationNews('accepted', 'delivering')).toBe(true);
    expect(isParticipationNews('training', 'accepted')).toBe(false);
    expect(isParticipationNews('delivering', 'training')).toBe(false);
    expect(isParticipationNews('delivering', 'failed')).toBe(true);
  });

  it('is no news twice', () => {
    for (const state of PARTICIPATION_STATES) expect(isParticipationNews(state, state)).toBe(false);
  });

  it('comes too late for a part that has ended, except as an echo of a delivery', () => {
    expect(isParticipationNews('delivered', 'training')).toBe(false);
    expect(isParticipationNews('delivered', 'quarantined')).toBe(true);
    for (const [from, to] of [
      ['late', 'delivered'],
      ['failed', 'accepted'],
      ['delivered', 'failed'],
      ['declined', 'accepted'],
    ] as const) {
      expect(refusalOf(() => isParticipationNews(from, to)).code).toBe('ROUND_CLOSED');
    }
  });
});
