import type { UpdateOffer } from '@consilium/shared/wire';
import { type Checker, isCounting } from './checker.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';

/** An agent throws its work away when it hears "accepted": from then on the coordinator alone has it. */
export const acknowledgedWorkCounts: Checker = {
  promise: 'an update that an agent was told is accepted is there, and counts in its round',
  watch: (world) => {
    const acknowledged = new Map<string, UpdateOffer>();
    world.onAnswer(({ request, body }) => {
      if (request !== 'update:offer') return;
      const offer = body as UpdateOffer;
      acknowledged.set(offer.participationId, offer);
    });
    return () => {
      const { records } = world.disk;
      const updates = new Map(records.rowsOf(Update).map((update) => [update.participationId, update]));
      const rounds = records.rowsOf(Round);
      for (const { participationId, digest } of acknowledged.values()) {
        const update = updates.get(participationId);
        if (update?.digest !== digest) return `the accepted update of ${participationId} is gone`;
        if (!isCounting(update) || update.foldRoundId !== null) continue;
        // Work that comes after a buffered campaign's last round was closed has no round to count in, nor has what waits for
        // another try of a round that failed.
        const own = rounds.find(({ id }) => id === update.roundId);
        const later = rounds.some(
          ({ campaignId, startedAtMs, state }) =>
            campaignId === own?.campaignId && startedAtMs > update.acceptedAtMs && state !== 'failed' && state !== 'cancelled',
        );
        if (later) return `the accepted update of ${participationId} counts nowhere`;
      }
      return undefined;
    };
  },
};
