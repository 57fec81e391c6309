import type { ParticipationState, RoundState } from '@consilium/shared/wire';
import { isParticipationOpen } from './round-states.js';

export interface RoundFacts {
  readonly state: RoundState;
  /** Delivered updates that the round needs. */
  readonly quorum: number;
  /** How long the others are waited for once the round has what it needs. */
  readonly graceMs: number;
  readonly deadlineAtMs: number;
  /** Names of sites without whose update the round cannot end well. */
  readonly requiredSites: readonly string[];
  /** Sites still at work stay at work when the round closes: what they deliver counts in a later one. */
  readonly isBuffered: boolean;
}

/** A participation that may count in the round: its own, or one of an earlier round that was carried over. */
export interface ParticipationFacts {
  readonly siteName: string;
  readonly state: ParticipationState;
  /** Since when the update counts in this round; null when it does not. */
  readonly countsSinceMs: number | null;
}

/**
 * What to do with a round now. `close` says that no further update counts in it; before it goes on to `aggregating` its updates are
 * screened, and when some are held back the rule is asked again. Nothing to do is `wait`, with the time at which the answer changes
 * even if no fact arrives.
 */
export type RoundDecision =
  | { readonly kind: 'move'; readonly to: 'inviting' | 'training' }
  | { readonly kind: 'close'; readonly to: 'aggregating' }
  | { readonly kind: 'close'; readonly to: 'failed'; readonly code: RoundFailure; readonly missingSites: readonly string[] }
  | { readonly kind: 'fold' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'done' };

/** Why a round failed for want of updates: trying it again may help. */
export type RoundFailure = 'QUORUM_MISSED' | 'REQUIRED_SITE_MISSING';

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
  const open = participations.filter(({ state }) => isParticipationOpen(state));
  const counted = participations.filter(({ countsSinceMs }) => countsSinceMs !== null);
  const missingSites = round.requiredSites.filter((name) => !counted.some(({ siteName }) => siteName === name));
  if (counted.length + open.length < round.quorum) return fail('QUORUM_MISSED', missingSites);
  // A required site that is no longer at work cannot deliver: waiting for the deadline would help nobody.
  if (missingSites.some((name) => !open.some(({ siteName }) => siteName === name))) {
    return fail('REQUIRED_SITE_MISSING', missingSites);
  }
  const completeAtMs = missingSites.length > 0 ? undefined : completedAt(round, counted);
  if (completeAtMs === undefined) {
    if (nowMs < round.deadlineAtMs) return { kind: 'wait', untilMs: round.deadlineAtMs };
    return fail(counted.length < round.quorum ? 'QUORUM_MISSED' : 'REQUIRED_SITE_MISSING', missingSites);
  }
  const graceMs = round.isBuffered ? 0 : round.graceMs;
  const closesAtMs = Math.min(completeAtMs + graceMs, round.deadlineAtMs);
  if (open.length === 0 || nowMs >= closesAtMs) return { kind: 'close', to: 'aggregating' };
  return { kind: 'wait', untilMs: closesAtMs };
}

/** When the round had its quorum and all its required sites; undefined while it lacks the quorum. */
function completedAt({ quorum, requiredSites }: RoundFacts, counted: readonly ParticipationFacts[]): number | undefined {
  const timesMs = counted.map(({ countsSinceMs }) => countsSinceMs ?? 0).sort((a, b) => a - b);
  const quorumAtMs = timesMs[quorum - 1];
  if (quorumAtMs === undefined) return undefined;
  const firstOf = (name: string): number =>
    Math.min(...counted.filter(({ siteName }) => siteName === name).map(({ countsSinceMs }) => countsSinceMs ?? 0));
  return Math.max(quorumAtMs, ...requiredSites.map(firstOf));
}

function fail(code: RoundFailure, missingSites: readonly string[]): RoundDecision {
  return { kind: 'close', to: 'failed', code, missingSites };
}
