import { isParticipationOpen } from '../../../coordinator/src/rounds/round-states.js';
import { atTheEnd, firstWrong } from './checker.js';

export const nobodyLeftWaiting = atTheEnd('when a campaign is over, none of its rounds and parts is still open', (records) =>
  firstWrong(records.rounds, ({ id, number, state }) => {
    if (!['finished', 'failed', 'cancelled'].includes(state)) return `round ${number} is still ${state}`;
    const open = records.participations.find((part) => part.roundId === id && isParticipationOpen(part.state));
    return open === undefined ? undefined : `the part of ${open.siteName} in round ${number} is still ${open.state}`;
  }),
);
