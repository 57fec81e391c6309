import type { ParticipationState, RoundState } from '@consilium/shared/wire';
import { isParticipationOpen } from './round-states.js';

export interface RoundFacts {
  readonly state: RoundState;
  /** Delivered updates that the round needs. */
  readonly quorum: number;
  /** How long the others are waited for once the quorum is reached. */
  readonly graceMs: number;
  readonly deadlineAtMs: number;
}

export interface ParticipationFacts {
  readonly state: ParticipationState;
  readonly deliveredAtMs: number | null;
}

/**
 * What to do with a round now. `close` says that participations still open end as late.
 * Nothing to do is `wait`, with the time at which the answer changes even if no fact arrives.
 */
export type RoundDecision =
  | { readonly kind: 'move'; readonly to: 'inviting' | 'training' }
  | { readonly kind: 'close'; readonly to: 'aggregating' }
  | { readonly kind: 'close'; readonly to: 'failed'; readonly code: 'QUORUM_MISSED' }
  | { readonly kind: 'fold' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'done' };

/** The rule of a round: facts and time in, one decision out; call again after applying it. */
export function decideRound(round: RoundFacts, participations: readonly ParticipationFacts[], nowMs: number): RoundDecision {
  switch (round.state) {
    case 'planned':
      return { kind: 'move', to: 'inviting' };
    case 'inviting':
      if (participations.some(({ state }) => state !== 'invited')) return { kind: 'move', to: 'training' };
      return decideReceiving(round, participations, nowMs);
    case 'training':
      return decideReceiving(round, participations, nowMs);
    case 'aggregating':
      return { kind: 'fold' };
    case 'finished':
    case 'failed':
    case 'cancelled':
      return { kind: 'done' };
  }
}

function decideReceiving(round: RoundFacts, participations: readonly ParticipationFacts[], nowMs: number): RoundDecision {
  const deliveredAtMs = participations
    .flatMap(({ state, deliveredAtMs }) => (state === 'delivered' && deliveredAtMs !== null ? [deliveredAtMs] : []))
    .sort((a, b) => a - b);
  const open = participations.filter(({ state }) => isParticipationOpen(state)).length;
  const quorumAtMs = deliveredAtMs[round.quorum - 1];
  if (quorumAtMs === undefined) {
    const isHopeless = deliveredAtMs.length + open < round.quorum || nowMs >= round.deadlineAtMs;
    return isHopeless ? { kind: 'close', to: 'failed', code: 'QUORUM_MISSED' } : { kind: 'wait', untilMs: round.deadlineAtMs };
  }
  const closesAtMs = Math.min(quorumAtMs + round.graceMs, round.deadlineAtMs);
  if (open === 0 || nowMs >= closesAtMs) return { kind: 'close', to: 'aggregating' };
  return { kind: 'wait', untilMs: closesAtMs };
}
