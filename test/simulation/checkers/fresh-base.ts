import type { Assignment } from '@consilium/shared/wire';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import type { Checker } from './checker.js';

export const freshBase: Checker = {
  promise: 'a site is asked to train from the version that was the newest when its round was planned',
  watch: (world) => {
    const told = new Map<string, { roundId: string; digest: string }>();
    world.onAnswer(({ request, value }) => {
      if (request !== 'site:sync') return;
      const { assignment } = value as { assignment: Assignment | null };
      if (assignment?.kind !== 'train') return;
      told.set(assignment.participationId, { roundId: assignment.plan.roundId, digest: assignment.plan.base.digest });
    });
    return () => {
      const { records } = world.disk;
      const rounds = new Map(records.rowsOf(Round).map((round) => [round.id, round]));
      const versions = records.rowsOf(ModelVersion);
      for (const { roundId, digest } of told.values()) {
        const round = rounds.get(roundId);
        if (round === undefined) return 'a site was invited to a round that is not there';
        const newest = versions
          .filter(({ campaignId, createdAtMs }) => campaignId === round.campaignId && createdAtMs <= round.startedAtMs)
          .reduce((a, b) => (a.number > b.number ? a : b));
        if (newest.digest !== digest) return `round ${round.number} was trained from an old version`;
      }
      return undefined;
    };
  },
};
