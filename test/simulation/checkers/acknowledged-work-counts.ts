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
      const updates = new Map(world.disk.records.rowsOf(Update).map((update) => [update.participationId, update]));
      const folded = new Set(world.disk.records.rowsOf(Round).flatMap(({ id, state }) => (state === 'finished' ? [id] : [])));
      for (const { participationId, digest } of acknowledged.values()) {
        const update = updates.get(participationId);
        if (update?.digest !== digest) return `the accepted update of ${participationId} is gone`;
        if (isCounting(update) && folded.has(update.roundId) && update.foldRoundId === null) {
          return `the accepted update of ${participationId} counts nowhere`;
        }
      }
      return undefined;
    };
  },
};
