import { patchesPerStep } from '@consilium/shared/wire';
import type { OrderContext } from '../trainer/order-context.js';
import type { PretrainOrder } from '../trainer/trainer-messages.js';
import { openTrainerDevices, type TrainerDevices } from '../trainer/trainer-runtime.js';
import type { ObjectiveChoice } from '../objectives/create-objective.js';
import { clockOfRound } from '../objectives/universal-clock.js';
import { bytesOfFeed, mostBatchThreadsFor, PROBE_BATCH_PATCHES } from './batch-feed.js';
import { chooseMemory } from './choose-memory.js';
import { chooseObjective } from './choose-objective.js';
import { choosePrecision } from './choose-precision.js';
import { shareBatch } from './data-parallel/batch-share.js';
import { ReplicaTeam, type TeamOrder } from './data-parallel/replica-team.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { SiteCollection } from './site-collection.js';

/** What trains a round on this site's devices. */
export interface RoundLearner {
  readonly learner: Learner;
  /** TensorFlow's, in this process. */
  readonly threads: number | undefined;
  /** Trains together with this learner; undefined when one device does it all. */
  readonly team: ReplicaTeam | undefined;
}

/**
 * Chooses devices, precision and the use of memory, announces each choice that a reader would want to know, and opens the
 * learner. Call it when the collection is loaded, for it counts. `memoryFile` keeps what an attempt chose for its continuation.
 */
export async function openRoundLearner(
  order: PretrainOrder,
  context: OrderContext,
  collection: SiteCollection,
  memoryFile: string,
): Promise<RoundLearner> {
  const devices = openTrainerDevices(order.limits, context);
  const { precision, announcement } = choosePrecision(order.plan.training.precision, devices.device);
  if (announcement !== undefined) context.announce(announcement);
  const { objective: chosen, announcement: left } = chooseObjective(order.plan.objective, clockOfRound(order.plan), collection);
  if (left !== undefined) context.announce(left);
  const options = await fitIntoMemory(order, context, devices, { ...learnerOptions(order, chosen, precision), memoryFile });
  const learner = Learner.create({ ...options, runtime: devices.runtime });
  const team = startTeam(order, context, collection, devices, options);
  return { learner, threads: devices.threads, team };
}

type TeamLearner = TeamOrder['learner'];

/** Several batches a step are one large batch that is computed in passes of one batch. */
function learnerOptions(
  { plan: { model, training } }: PretrainOrder,
  objective: ObjectiveChoice,
  precision: LearnerOptions['precision'],
): TeamLearner {
  const accumulates = patchesPerStep(training) > training.batchSize;
  const patchesPerPass = accumulates ? training.batchSize : undefined;
  return { spec: model, optimizer: training.optimizer, objective, precision, patchesPerPass };
}

async function fitIntoMemory(
  { plan, limits }: PretrainOrder,
  context: OrderContext,
  { runtime, others, threads }: TrainerDevices,
  { memoryFile, patchesPerPass, ...options }: TeamLearner & { readonly memoryFile: string },
): Promise<TeamLearner> {
  const share = shareBatch(patchesPerStep(plan.training), others.length + 1)[0]?.count ?? 1;
  const chosen = await chooseMemory(
    {
      ...options,
      patches: Math.min(share, plan.training.batchSize),
      predictedPatches: PROBE_BATCH_PATCHES,
      withRule: plan.localRule !== undefined,
      sizeVoxels: plan.patch.sizeVoxels,
    },
    {
      runtime,
      context,
      batchThreads: mostBatchThreadsFor(threads),
      batchBytes: bytesOfFeed(share, plan.patch.sizeVoxels),
      limitBytes: limits.memoryBytes,
      recordFile: memoryFile,
    },
  );
  return { ...options, memory: chosen.memory, patchesPerPass: chosen.patchesPerPass ?? patchesPerPass };
}

/** The trainers of the site's further devices; undefined with one device, which then costs nothing. */
function startTeam(
  { home, plan, limits }: PretrainOrder,
  context: OrderContext,
  collection: SiteCollection,
  { others, threads }: TrainerDevices,
  learner: TeamLearner,
): ReplicaTeam | undefined {
  if (others.length === 0) return undefined;
  const order: TeamOrder = { home, plan, collection: collection.digest, learner, tf32: limits.tf32, threads };
  return ReplicaTeam.start(order, others, (text) => context.announce(text));
}
