import { parseDurationMs } from '@consilium/shared/kernel';
import { isBuffered } from '@consilium/shared/wire';
import { SIMULATED_CONFIG } from '../world/simulated-coordinator.js';
import { atTheEnd, firstWrong, isCounting } from './checker.js';

/** A tick, a fold and what is written before and after them. */
const SLACK_MS = SIMULATED_CONFIG.tickIntervalMs + 10_000;

/** Time in which the coordinator was away, before and while it folds again, is not the round's fault. */
export const roundsCloseInTime = atTheEnd(
  'a slow or silent site stalls no round: it closes at quorum and grace, or at its deadline',
  ({ campaigns, rounds, updates, participations }, world) =>
    firstWrong(rounds, (round) => {
      const plan = world.askedPlan(campaigns.find(({ id }) => id === round.campaignId)?.name ?? '');
      if (plan === undefined || round.finishedAtMs === null || round.state === 'cancelled') return undefined;
      const counted = updates.filter((update) => update.foldRoundId === round.id && isCounting(update));
      const timesMs = counted.map(({ acceptedAtMs }) => acceptedAtMs).sort((a, b) => a - b);
      const firstOf = (name: string): number => {
        const parts = participations.filter(({ siteName }) => siteName === name).map(({ id }) => id);
        const own = counted.filter(({ participationId }) => parts.includes(participationId));
        return Math.min(...own.map(({ acceptedAtMs }) => acceptedAtMs));
      };
      const graceMs = isBuffered(plan.recipe) ? 0 : parseDurationMs(plan.grace);
      const completeAtMs = Math.max(timesMs[plan.quorum - 1] ?? Infinity, ...(plan.requiredSites ?? []).map(firstOf));
      const dueMs = Math.min(round.deadlineAtMs, Math.max(round.startedAtMs, completeAtMs) + graceMs);
      const lateMs = round.finishedAtMs - dueMs - world.coordinatorAwayMs - SLACK_MS * (1 + world.deathsOf('coordinator'));
      return lateMs <= 0 ? undefined : `round ${round.number} of ${plan.name} ended ${Math.round(lateMs / 1000)} s too late`;
    }),
);
