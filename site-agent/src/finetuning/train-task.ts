/** The course of a fine-tuning: steps up to the next validation, validation, and what it says about the steps after it. */
import { writeSafetensors } from '@consilium/shared/weights';
import type { OrderContext } from '../trainer/order-context.js';
import type { CheckpointStore } from '../training/checkpoint.js';
import type { BatchSource } from '../training/patch-batch.js';
import { obeyStop, train, type TrainingState, UNTRAINED } from '../training/train.js';
import type { FinetuneFolder } from './tasks/finetune-folder.js';
import { type FinetuneHistory, type Validation, type ValidationScores, writeHistory } from './finetune-history.js';
import type { CommonTraining } from './tasks/finetune-training.js';
import type { PhasedLearner } from './phased-learner.js';
import { outlook, rateOfStep, watchedValue } from './validation-history.js';

/** What the steps of one fine-tuning share. */
export interface Finetuning {
  readonly training: CommonTraining;
  readonly context: OrderContext;
  readonly folder: FinetuneFolder;
  /** Its owner disposes of it. */
  readonly learner: PhasedLearner;
  readonly checkpoints: CheckpointStore;
  readonly source: BatchSource;
  /** Looks at the validation cases; undefined when there are none. */
  readonly validate: (() => Promise<ValidationScores>) | undefined;
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
export async function trainTask(finetuning: Finetuning, known: FinetuneHistory): Promise<Trained> {
  const { training, context } = finetuning;
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

/** Puts the learner where the newest checkpoint left off, or at the start. */
async function resume({ learner, checkpoints, context, training }: Finetuning): Promise<TrainingState> {
  const checkpoint = await checkpoints.load();
  learner.begin(checkpoint);
  if (checkpoint === undefined) return UNTRAINED;
  context.report('training', checkpoint.state.step, training.steps);
  return checkpoint.state;
}

function isValidationDue({ validate, training }: Finetuning, history: FinetuneHistory, step: number): boolean {
  if (validate === undefined || step === 0) return false;
  if (step % training.validateEverySteps !== 0 && step < training.steps) return false;
  return history.validations.every((validation) => validation.step !== step);
}

/** The next validation, or the step where frozen parameters awake. */
function nextPause({ validate, training }: Finetuning, step: number): number {
  const { mode, steps, validateEverySteps } = training;
  const thaw = mode.kind === 'frozen-then-unfrozen' && step < mode.frozenSteps ? mode.frozenSteps : steps;
  if (validate === undefined) return Math.min(steps, thaw);
  const next = (Math.floor(step / validateEverySteps) + 1) * validateEverySteps;
  return Math.min(steps, thaw, next);
}

async function trainUntil(
  finetuning: Finetuning,
  from: TrainingState,
  pause: number,
  learningRate: number,
): Promise<TrainingState> {
  const { training, context, learner, source } = finetuning;
  learner.enter(from.step);
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
  await checkpoints.save(learner.checkpoint(state));
}

/** Validates, keeps the weights when they are the best so far, then notes the validation: in this order, for a crash between. */
async function addValidation(finetuning: Finetuning, history: FinetuneHistory, state: TrainingState): Promise<FinetuneHistory> {
  const { training, context, folder, learner, validate } = finetuning;
  const scores = (await validate?.()) ?? { loss: NaN };
  const before = outlook(history.validations, training);
  if (watchedValue(scores, training.watch) < before.best) await writeSafetensors(folder.bestFile, learner.readWeights());
  const last = history.validations.at(-1);
  const steps = state.step - (last?.step ?? 0);
  const validation: Validation = {
    step: state.step,
    ...scores,
    trainingLoss: steps > 0 ? (state.lossSum - (last?.lossSum ?? 0)) / steps : null,
    learningRate: rateOfStep(before.learningRate, training, Math.max(0, state.step - 1)),
    lossSum: state.lossSum,
  };
  const extended = { ...history, validations: [...history.validations, validation] };
  await writeHistory(folder.historyFile, extended);
  context.report('validated', state.step, training.steps, scores.loss);
  return extended;
}
