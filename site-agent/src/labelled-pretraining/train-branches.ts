/** The course of a supervised pretraining: steps up to the next look at the validation cases, the look, and on. */
import { invariant } from '@consilium/shared/kernel';
import { writeSafetensors } from '@consilium/shared/weights';
import type { SchedulePlan } from '@consilium/shared/wire';
import type { FinetuneFolder } from '../finetuning/tasks/finetune-folder.js';
import { mean } from '../finetuning/answers/metrics.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { CheckpointStore } from '../training/checkpoint.js';
import type { PatchBatch } from '../training/patch-batch.js';
import { writeRecord } from '../training/round-folder.js';
import { rateFactorAt } from '../training/schedules/rate-factor.js';
import { obeyStop, train, type TrainingState, UNTRAINED } from '../training/train.js';
import { type BranchBatch, type BranchFeed, type LoadedCollection, openBranchFeed } from './branch-feed.js';
import type { BranchedLearner } from './branched-learner.js';
import { drawTurns, type Turn } from './draw-turns.js';
import type { LabelledRecipe } from './labelled-recipe.js';
import { bestLook, type Look, type PretrainingHistory } from './pretraining-history.js';
import type { StepLosses } from './step-losses.js';
import { validateBranches } from './validate-branches.js';

/** What the steps of one supervised pretraining share. */
export interface LabelledPretraining {
  readonly recipe: LabelledRecipe;
  readonly context: OrderContext;
  readonly folder: FinetuneFolder;
  /** Holds the start weights when training begins; its owner disposes of it. */
  readonly learner: BranchedLearner;
  readonly checkpoints: CheckpointStore;
  readonly losses: StepLosses;
  readonly collections: readonly LoadedCollection[];
  /** Of TensorFlow, beside which patches are made; all cores when left out. */
  readonly threads: number | undefined;
}

interface Course extends LabelledPretraining {
  readonly turns: readonly Turn[];
  readonly source: BranchFeed;
  readonly schedule: SchedulePlan;
}

export interface TrainedBranches {
  readonly history: PretrainingHistory;
  readonly state: TrainingState;
}

/**
 * Trains to the last step. The weights of the look with the best mean Dice lie in the folder's best file afterwards; without
 * validation cases the learner's own, last weights are the result.
 */
export async function trainBranches(pretraining: LabelledPretraining, known: PretrainingHistory): Promise<TrainedBranches> {
  const { recipe, collections, threads } = pretraining;
  const { steps, balance, seed } = recipe.training;
  const cases = collections.map(({ train: listed }) => listed.length);
  const turns = drawTurns(cases, steps, balance, seed);
  const source = openBranchFeed(collections, turns, recipe, threads);
  try {
    return await follow({ ...pretraining, turns, source, schedule: scheduleOf(recipe, cases) }, known);
  } finally {
    await source.close();
  }
}

async function follow(course: Course, known: PretrainingHistory): Promise<TrainedBranches> {
  const { recipe, context } = course;
  const { steps } = recipe.training;
  let state = await resume(course);
  // A checkpoint may be older than the history beside it: what came later is done again, to the same bits.
  let history = { ...known, looks: known.looks.filter(({ step }) => step <= state.step) };
  for (;;) {
    obeyStop(context.stop);
    if (isLookDue(course, history, state.step)) history = await addLook(course, history, state.step);
    if (state.step >= steps) return { history, state };
    state = await trainUntil(course, state, nextPause(recipe, state.step));
  }
}

/** The released code's decay of 0.99 an epoch, where an epoch visits each case once on average. */
function scheduleOf({ training }: LabelledRecipe, cases: readonly number[]): SchedulePlan {
  const perEpoch = cases.reduce((sum, count) => sum + count, 0) / training.batchSize;
  return training.schedule ?? { kind: 'step', everySteps: Math.max(1, Math.round(perEpoch)), factor: 0.99 };
}

/** Puts the learner where the newest checkpoint left off; the start weights are loaded already. */
async function resume({ learner, checkpoints, losses, context, recipe }: Course): Promise<TrainingState> {
  const checkpoint = await checkpoints.load();
  await losses.resume(checkpoint?.state.step ?? 0);
  if (checkpoint === undefined) return UNTRAINED;
  learner.loadWeights(checkpoint.parameters);
  learner.loadOptimizerState(checkpoint.optimizer);
  context.report('training', checkpoint.state.step, recipe.training.steps);
  return checkpoint.state;
}

function isLookDue({ recipe: { training } }: Course, { looks }: PretrainingHistory, step: number): boolean {
  if (step === 0 || (step % training.validateEverySteps !== 0 && step < training.steps)) return false;
  return looks.every((look) => look.step !== step);
}

function nextPause({ training }: LabelledRecipe, step: number): number {
  return Math.min(training.steps, (Math.floor(step / training.validateEverySteps) + 1) * training.validateEverySteps);
}

async function trainUntil(course: Course, from: TrainingState, pause: number): Promise<TrainingState> {
  const { recipe, context, learner, losses, source } = course;
  const { training } = recipe;
  const state = await train(
    {
      trainee: {
        setLearningRate: (rate) => learner.setLearningRate(rate),
        step: (batch) => stepOf(learner, batch),
      },
      source,
      steps: pause,
      learningRateAt: (step) => rateOfStep(course, step),
      checkpointEverySteps: training.checkpointEverySteps,
      saveCheckpoint: (reached) => saveCheckpoint(course, reached),
      onStep: ({ step, lastLoss }, time) => {
        losses.add(lastLoss);
        context.report('training', step, training.steps, lastLoss, time);
      },
      stop: context.stop,
      nowMs: () => context.nowMs(),
    },
    from,
  );
  await saveCheckpoint(course, state);
  return state;
}

function stepOf(learner: BranchedLearner, batch: PatchBatch): number {
  invariant('branch' in batch, 'the batches of a supervised pretraining are of a branch');
  return learner.step((batch as BranchBatch).branch, batch);
}

function rateOfStep({ recipe: { training }, schedule }: Course, step: number): number {
  return training.optimizer.learningRate * rateFactorAt(schedule, step, training.steps);
}

async function saveCheckpoint({ checkpoints, learner, losses }: Course, state: TrainingState): Promise<void> {
  await losses.save();
  await checkpoints.save({ state, parameters: learner.readWeights(), optimizer: learner.readOptimizerState() });
}

/** Validates, keeps the weights when they are the best so far, then notes the look: in this order, for a crash between. */
async function addLook(course: Course, history: PretrainingHistory, step: number): Promise<PretrainingHistory> {
  const { recipe, context, folder, learner, losses, collections, turns } = course;
  const scores = await validateBranches(learner, collections, recipe.patchSizeVoxels, context);
  const since = history.looks.at(-1)?.step ?? 0;
  const found = scores.flatMap(({ dice }) => (dice === null ? [] : [dice]));
  const look: Look = {
    step,
    learningRate: rateOfStep(course, step - 1),
    meanDice: found.length === 0 ? null : mean(found),
    collections: collections.map(({ collection: { name } }, index) => ({
      name,
      turns: turns.slice(0, step).filter(({ collection }) => collection === index).length,
      trainingLoss: losses.meanOf(index, turns, since, step),
      dice: scores[index]?.dice ?? null,
      classes: [...(scores[index]?.classes ?? [])],
    })),
  };
  const extended = { ...history, looks: [...history.looks, look] };
  if (bestLook(extended.looks)?.step === step) await writeSafetensors(folder.bestFile, learner.readWeights());
  await writeRecord(folder.historyFile, extended);
  context.announce(describeLook(look));
  context.report('validated', step, recipe.training.steps);
  return extended;
}

/** One line for people. */
export function describeLook({ step, collections }: Look): string {
  const each = collections.map(({ name, turns, trainingLoss, dice, classes }) => {
    const loss = trainingLoss === null ? 'no turn' : `loss ${trainingLoss.toFixed(3)}`;
    const scores = classes.map((entry) => `${entry.name} ${entry.dice.toFixed(3)}`).join(', ');
    return `${name} (${turns} steps) ${loss}${dice === null ? '' : `, Dice ${dice.toFixed(3)} (${scores})`}`;
  });
  return `step ${step}: ${each.join('; ')}`;
}
