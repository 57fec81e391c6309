/** The one place where a recipe's plan becomes what trains: a learner, its batches, its validation pairs. */
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { TrainerLimits } from '../trainer/trainer-messages.js';
import { openTrainerDevices } from '../trainer/trainer-runtime.js';
import { batchThreadsFor, bytesOfFeed, mostBatchThreadsFor, openPretrainFeed, probeBatches } from '../training/batch-feed.js';
import { chooseMemory } from '../training/choose-memory.js';
import { chooseObjective } from '../training/choose-objective.js';
import { choosePrecision } from '../training/choose-precision.js';
import { Learner } from '../training/learner.js';
import type { BatchSource, ProbeBatch } from '../training/patch-batch.js';
import type { PretrainRecipe } from './pretrain-recipe.js';
import type { RecipeClock } from './recipe-clock.js';

export interface PretrainingParts {
  readonly recipe: PretrainRecipe;
  readonly clock: RecipeClock;
  readonly volumes: { readonly train: readonly PreparedVolume[]; readonly validation: readonly PreparedVolume[] };
  readonly limits: TrainerLimits;
  /** Keeps how steps were made to fit into memory, for a continuation. */
  readonly memoryFile: string;
}

/** Close what was opened: the feed, then the learner. */
export interface Pretraining {
  /** Its weights are zero until they are loaded. */
  readonly learner: Learner;
  /** Batches from a step on; the batch of a step depends on the recipe, the volumes and the step alone. */
  openFeed(firstStep: number): BatchSource;
  /** Pairs of the held-out volumes, the same each time, made anew each time: they may be too many to hold. */
  validationPairs(): Iterable<ProbeBatch>;
  readonly validationBatches: number;
}

/** Call it when the volumes are prepared, for they count when memory is planned. */
export async function openPretraining(parts: PretrainingParts, context: OrderContext): Promise<Pretraining> {
  const { recipe, clock, volumes, limits, memoryFile } = parts;
  const { training, patch, objective, seed, validation } = recipe;
  const { runtime, device, others, threads } = openTrainerDevices(limits, context, 1);
  if (others.length > 0) context.announce('this work takes one device; the others stay idle meanwhile');
  const { precision, announcement } = choosePrecision(training.precision, device);
  if (announcement !== undefined) context.announce(announcement);
  const trained = { volumes: volumes.train };
  const { objective: taught, announcement: left } = chooseObjective(
    objective,
    { stepsBefore: 0, steps: clock.totalSteps },
    trained,
  );
  if (left !== undefined) context.announce(left);
  const { batchSize, optimizer } = training;
  const accumulates = clock.pairsPerStep > batchSize;
  const options = {
    spec: recipe.model,
    optimizer,
    objective: taught,
    precision,
    patchesPerPass: accumulates ? batchSize : undefined,
  } as const;
  const chosen = await chooseMemory(
    { ...options, patches: batchSize, predictedPatches: batchSize, sizeVoxels: patch.sizeVoxels },
    {
      runtime,
      context,
      batchThreads: mostBatchThreadsFor(threads),
      batchBytes: bytesOfFeed(clock.pairsPerStep, patch.sizeVoxels),
      limitBytes: limits.memoryBytes,
      recordFile: memoryFile,
    },
  );
  const patchesPerPass = chosen.patchesPerPass ?? options.patchesPerPass;
  const learner = Learner.create({ ...options, memory: chosen.memory, patchesPerPass, runtime });
  const validationPatches = volumes.validation.length * validation.patchesPerVolume;
  return {
    learner,
    openFeed: (firstStep) =>
      openPretrainFeed({
        volumes: volumes.train,
        patch,
        objective,
        batchSize: clock.pairsPerStep,
        clock: { pairsPerStep: clock.pairsPerStep, stepsBefore: 0, totalSteps: clock.totalSteps },
        streamName: `${seed}/pretraining`,
        threads: batchThreadsFor(threads),
        mostThreads: mostBatchThreadsFor(threads),
        firstStep,
      }),
    // No clock: validation is as hard as training is at its end, from the first look to the last.
    validationPairs: () =>
      probeBatches({
        volumes: volumes.validation,
        patch,
        objective,
        patches: validationPatches,
        batchSize,
        streamName: `${seed}/validation`,
      }),
    validationBatches: Math.ceil(validationPatches / batchSize),
  };
}
