/** The course of a fine-tuning: steps up to the next validation, validation, and what it says about the steps after it. */
import { writeSafetensors } from '@consilium/shared/weights';
import type { OrderContext } from '../trainer/order-context.js';
import type { CheckpointStore } from '../training/checkpoint.js';
import type { Learner } from '../training/learner.js';
import { obeyStop, train, type TrainingState, UNTRAINED } from '../training/train.js';
import type { FinetuneFolder } from './finetune-folder.js';
import { type FinetuneHistory, type Validation, writeHistory } from './finetune-history.js';
import type { LabelledCase } from './labelled-case.js';
import { PatchSampler } from './patch-sampler.js';
import type { SegmentationTask } from './segmentation-task.js';
import { validateCases } from './validate-cases.js';
import { outlook, rateOfStep } from './validation-history.js';

/** What the steps of one fine-tuning share. */
export interface Finetuning {
  readonly task: SegmentationTask;
  readonly context: OrderContext;
  readonly folder: FinetuneFolder;
  /** Holds the start weights when training begins; its owner disposes of it. */
  readonly learner: Learner;
  readonly checkpoints: CheckpointStore;
  readonly cases: { readonly train: readonly LabelledCase[]; readonly validation: readonly LabelledCase[] };
}

export interface Trained {
  readonly history: FinetuneHistory;
  readonly state: TrainingState;
  readonly stopped: 'steps' | 'early-stop';
}

/**
 * Trains to the last step or an early stop. The weights of the best validation lie in the folder's best file afterwards;
 * without validation cases the learner's own, last weights are the result.
 */
export async function trainSegmentation(finetuning: Finetuning, known: FinetuneHistory): Promise<Trained> {
  const { task, context } = finetuning;
  const { training } = task;
  let state = await resume(finetuning);
  // A checkpoint may be older than the history beside it: what came later is done again, to the same bits.
  let history = { ...known, validations: known.validations.filter(({ step }) => step <= state.step) };
  for (;;) {
    obeyStop(context.stop);
    if (isValidationDue(finetuning, history, state.step)) history = await addValidation(finetuning, history, state);
    const { learningRate, stop } = outlook(history.validations, training);
    if (stop) return { history, state, stopped: 'early-stop' };
    if (state.step >= training.steps) return { history, state, stopped: 'steps' };
    state = await trainUntil(finetuning, state, nextPause(finetuning, state.step), learningRate);
  }
}

/** Puts the learner where the newest checkpoint left off; the start weights are loaded already. */
async function resume({ learner, checkpoints, context, task }: Finetuning): Promise<TrainingState> {
  const checkpoint = await checkpoints.load();
  if (checkpoint === undefined) return UNTRAINED;
  learner.loadWeights(checkpoint.parameters);
  learner.loadOptimizerState(checkpoint.optimizer);
  context.report('training', checkpoint.state.step, task.training.steps);
  return checkpoint.state;
}

function isValidationDue({ cases, task: { training } }: Finetuning, history: FinetuneHistory, step: number): boolean {
  if (cases.validation.length === 0 || step === 0) return false;
  if (step % training.validateEverySteps !== 0 && step < training.steps) return false;
  return history.validations.every((validation) => validation.step !== step);
}

function nextPause({ cases, task: { training } }: Finetuning, step: number): number {
  if (cases.validation.length === 0) return training.steps;
  const next = (Math.floor(step / training.validateEverySteps) + 1) * training.validateEverySteps;
  return Math.min(training.steps, next);
}

async function trainUntil(
  finetuning: Finetuning,
  from: TrainingState,
  pause: number,
  learningRate: number,
): Promise<TrainingState> {
  const { task, context, learner, cases } = finetuning;
  const { patchSizeVoxels, classes, training } = task;
  const source = new PatchSampler(cases.train, { patchSizeVoxels, classes: classes.length, training });
  const state = await train(
    {
      trainee: learner,
      source,
      steps: pause,
      learningRateAt: (step) => rateOfStep(learningRate, training, step),
      checkpointEverySteps: training.checkpointEverySteps,
      saveCheckpoint: (reached) => saveCheckpoint(finetuning, reached),
      onStep: ({ step, lastLoss }, time) => context.report('training', step, training.steps, lastLoss, time),
      stop: context.stop,
      nowMs: () => context.nowMs(),
    },
    from,
  );
  await saveCheckpoint(finetuning, state);
  return state;
}

async function saveCheckpoint({ checkpoints, learner }: Finetuning, state: TrainingState): Promise<void> {
  await checkpoints.save({ state, parameters: learner.readWeights(), optimizer: learner.readOptimizerState() });
}

/** Validates, keeps the weights when they are the best so far, then notes the validation: in this order, for a crash between. */
async function addValidation(finetuning: Finetuning, history: FinetuneHistory, state: TrainingState): Promise<FinetuneHistory> {
  const { task, context, folder, learner, cases } = finetuning;
  const { loss, dice } = await validateCases(learner, cases.validation, task.patchSizeVoxels, task.classes.length, context);
  const before = outlook(history.validations, task.training);
  if (loss < before.bestLoss) await writeSafetensors(folder.bestFile, learner.readWeights());
  const last = history.validations.at(-1);
  const steps = state.step - (last?.step ?? 0);
  const validation: Validation = {
    step: state.step,
    loss,
    dice,
    trainingLoss: steps > 0 ? (state.lossSum - (last?.lossSum ?? 0)) / steps : null,
    learningRate: rateOfStep(before.learningRate, task.training, Math.max(0, state.step - 1)),
    lossSum: state.lossSum,
  };
  const extended = { ...history, validations: [...history.validations, validation] };
  await writeHistory(folder.historyFile, extended);
  context.report('validated', state.step, task.training.steps, loss);
  return extended;
}
