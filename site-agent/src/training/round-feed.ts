import { patchesPerStep, type RoundPlan } from '@consilium/shared/wire';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { clockOfRound } from '../objectives/universal-clock.js';
import { batchThreadsFor, mostBatchThreadsFor, openPretrainFeed } from './batch-feed.js';
import type { BatchShare } from './data-parallel/batch-share.js';
import type { BatchSource } from './patch-batch.js';
import type { StreamClock } from './patch-stream.js';

export interface RoundFeedOptions {
  readonly plan: RoundPlan;
  readonly volumes: readonly PreparedVolume[];
  /** TensorFlow's threads beside which batches are made. */
  readonly threads: number | undefined;
  readonly firstStep: number;
  readonly share?: BatchShare | undefined;
}

/** A curriculum runs as ramps and schedules do: rounds that train the adversary alone take no part of it. */
export function feedClock(plan: Pick<RoundPlan, 'objective' | 'roundNumber' | 'rounds' | 'training'>): StreamClock {
  const { stepsBefore, steps } = clockOfRound(plan);
  return { pairsPerStep: patchesPerStep(plan.training), stepsBefore, totalSteps: steps };
}

/** The batches of a round, the same in every process that trains it. */
export function openRoundFeed({ plan, volumes, threads, firstStep, share }: RoundFeedOptions): BatchSource {
  const clock = feedClock(plan);
  return openPretrainFeed({
    volumes,
    patch: plan.patch,
    objective: plan.objective,
    batchSize: clock.pairsPerStep,
    clock,
    share,
    streamName: `${plan.seed}/round-${plan.roundNumber}`,
    threads: batchThreadsFor(threads),
    mostThreads: mostBatchThreadsFor(threads),
    firstStep,
  });
}
