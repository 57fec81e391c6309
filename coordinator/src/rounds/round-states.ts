import { FederationError } from '@consilium/shared/kernel';
import type { ParticipationState, RoundState } from '@consilium/shared/wire';

/** Every legal move of a round. */
const ROUND_MOVES: Readonly<Record<RoundState, readonly RoundState[]>> = {
  planned: ['inviting', 'failed', 'cancelled'],
  inviting: ['training', 'failed', 'cancelled'],
  training: ['aggregating', 'failed', 'cancelled'],
  aggregating: ['finished', 'failed', 'cancelled'],
  finished: [],
  failed: [],
  cancelled: [],
};

/** The order in which a participation advances; a message that got lost may be skipped over, never gone back on. */
export const OPEN_PARTICIPATION_STATES: readonly ParticipationState[] = ['invited', 'accepted', 'training', 'delivering'];

export function isRoundOpen(state: RoundState): boolean {
  return ROUND_MOVES[state].length > 0;
}

/** True while sites may still act: accept, train, deliver. */
export function isRoundReceiving(state: RoundState): boolean {
  return state === 'planned' || state === 'inviting' || state === 'training';
}

export function isParticipationOpen(state: ParticipationState): boolean {
  return OPEN_PARTICIPATION_STATES.includes(state);
}

/** Throws ROUND_TRANSITION unless the table allows the move. */
export function requireRoundMove(from: RoundState, to: RoundState): void {
  if (ROUND_MOVES[from].includes(to)) return;
  throw new FederationError('ROUND_TRANSITION', `a round cannot go from ${from} to ${to}`, { details: { from, to } });
}

/**
 * Whether a reported state is news: true to record it, false for a repeated or overtaken message.
 * Throws ROUND_CLOSED when the participation has ended in another way.
 */
export function isParticipationNews(from: ParticipationState, to: ParticipationState): boolean {
  if (from === to) return false;
  if (!isParticipationOpen(from)) {
    // An overtaken message of a part that has come to its end in the meantime.
    if ((from === 'delivered' || from === 'quarantined') && isParticipationOpen(to)) return false;
    // Screening and operators have their say after the delivery.
    if ((from === 'delivered' && to === 'quarantined') || (from === 'quarantined' && to === 'delivered')) return true;
    throw new FederationError('ROUND_CLOSED', `this site's part in the round has ended as ${from}`, {
      details: { state: from },
      remedy: 'Ask for the next assignment.',
    });
  }
  return !isParticipationOpen(to) || OPEN_PARTICIPATION_STATES.indexOf(to) > OPEN_PARTICIPATION_STATES.indexOf(from);
}
