import { isBuffered } from '@consilium/shared/wire';
import { atTheEnd, firstWrong, isCounting } from './checker.js';

export const quorumAndRequiredSites = atTheEnd(
  'a finished round had its quorum and its required sites; a failed one lacked some of it',
  ({ campaigns, rounds, updates, participations }, world) =>
    firstWrong(rounds, (round) => {
      const plan = world.askedPlan(campaigns.find(({ id }) => id === round.campaignId)?.name ?? '');
      if (plan === undefined || (round.state !== 'finished' && round.state !== 'failed')) return undefined;
      const counted = updates.filter((update) => update.foldRoundId === round.id && isCounting(update));
      const names = counted.map((update) => participations.find(({ id }) => id === update.participationId)?.siteName);
      const missing = (plan.requiredSites ?? []).filter((name) => !names.includes(name));
      const isComplete = counted.length >= plan.quorum && missing.length === 0;
      if (round.state === 'finished') {
        return isComplete
          ? undefined
          : `round ${round.number} finished with ${counted.length} updates, without ${missing.join()}`;
      }
      const isForWant = round.code === 'QUORUM_MISSED' || round.code === 'REQUIRED_SITE_MISSING';
      if (!isForWant) return `round ${round.number} failed with ${String(round.code)}`;
      return isComplete && !isBuffered(plan.recipe) ? `round ${round.number} failed although it had what it needs` : undefined;
    }),
);
