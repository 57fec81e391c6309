import { availableParallelism } from 'node:os';
import { patchesPerStep, type RoundPlan } from '@consilium/shared/wire';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { openPretrainFeed } from './batch-feed.js';
import type { BatchShare } from './data-parallel/batch-share.js';
import type { BatchSource } from './patch-batch.js';

export interface RoundFeedOptions {
  readonly plan: RoundPlan;
  readonly volumes: readonly PreparedVolume[];
  /** TensorFlow's threads beside which batches are made. */
  readonly threads: number | undefined;
  readonly firstStep: number;
  readonly share?: BatchShare | undefined;
}

/** A step costs many times its patches: one batch thread feeds several of TensorFlow's. */
export function batchThreadsFor(threads: number = availableParallelism()): number {
  return Math.ceil(threads / 8);
}

/** The batches of a round, the same in every process that trains it. */
export function openRoundFeed({ plan, volumes, threads, firstStep, share }: RoundFeedOptions): BatchSource {
  return openPretrainFeed({
    volumes,
    patch: plan.patch,
    objective: plan.objective,
    batchSize: patchesPerStep(plan.training),
    share,
    streamName: `${plan.seed}/round-${plan.roundNumber}`,
    threads: threads === undefined ? undefined : batchThreadsFor(threads),
    firstStep,
  });
}
