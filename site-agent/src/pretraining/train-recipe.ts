/** The course of a pretraining: steps up to the next validation, validation, and what it says about the steps after it. */
import { writeSafetensors } from '@consilium/shared/weights';
import { describeMonitors, describeSkill } from '@consilium/shared/wire';
import type { OrderContext } from '../trainer/order-context.js';
import type { CheckpointStore } from '../training/checkpoint.js';
import { DataWait } from '../training/data-wait.js';
import { lookAtProbe } from '../training/monitor-probe.js';
import type { BatchSource } from '../training/patch-batch.js';
import { writeRecord } from '../training/round-folder.js';
import { obeyStop, train, type TrainingState, UNTRAINED } from '../training/train.js';
import type { Pretraining } from './open-pretraining.js';
import type { PretrainFolder } from './pretrain-folder.js';
import type { PretrainHistory, PretrainOutcome, PretrainValidation } from './pretrain-history.js';
import type { PretrainRecipe } from './pretrain-recipe.js';
import type { RecipeClock } from './recipe-clock.js';
import { rateInRecipe, recipeOutlook } from './recipe-outlook.js';

/** What the steps of one pretraining share. */
export interface RecipeTraining {
  readonly recipe: PretrainRecipe;
  readonly clock: RecipeClock;
  readonly context: OrderContext;
  readonly folder: PretrainFolder;
  /** Its learner holds the start weights when training begins; its owner disposes of it. */
  readonly pretraining: Pretraining;
  readonly checkpoints: CheckpointStore;
}

export interface TrainedRecipe {
  readonly history: PretrainHistory;
  readonly state: TrainingState;
  readonly stopped: PretrainOutcome['stopped'];
}

const MINUTE_MS = 60_000;

/**
 * Trains until the steps are done, the time is up or the validation loss has stopped falling. The weights of the best
 * validation lie in the folder's best file afterwards; without validation the learner's own, last weights are the result.
 */
export async function trainRecipe(training: RecipeTraining, known: PretrainHistory): Promise<TrainedRecipe> {
  const { context, pretraining, recipe, clock } = training;
  let state = await resume(training);
  // A checkpoint may be older than the history beside it: what came later is done again, to the same bits.
  let history = { ...known, validations: known.validations.filter(({ step }) => step <= state.step) };
  const source = pretraining.openFeed(state.step);
  try {
    for (;;) {
      obeyStop(context.stop);
      const ended = whatEnds(training, state);
      if (isValidationDue(training, history, state.step, ended)) history = await addValidation(training, history, state);
      if (recipeOutlook(history.validations, recipe.training, clock).stop) return { history, state, stopped: 'early-stop' };
      if (ended !== undefined) return { history, state, stopped: ended };
      state = await trainUntilPause(training, source, history, state);
    }
  } finally {
    await source.close();
  }
}

/** Puts the learner where the newest checkpoint left off; the start weights are loaded already. */
async function resume({ pretraining: { learner }, checkpoints, context, clock }: RecipeTraining): Promise<TrainingState> {
  const checkpoint = await checkpoints.load();
  if (checkpoint === undefined) return UNTRAINED;
  learner.loadWeights(checkpoint.parameters);
  learner.loadOptimizerState(checkpoint.optimizer);
  context.report('training', checkpoint.state.step, clock.totalSteps);
  return checkpoint.state;
}

function whatEnds({ recipe, clock }: RecipeTraining, { step, trainingMs }: TrainingState): 'steps' | 'minutes' | undefined {
  if (step >= clock.totalSteps) return 'steps';
  return step > 0 && trainingMs >= mostMsOf(recipe) ? 'minutes' : undefined;
}

function mostMsOf({ training: { minutes } }: PretrainRecipe): number {
  return minutes === undefined ? Infinity : minutes * MINUTE_MS;
}

function isValidationDue(
  { pretraining, clock }: RecipeTraining,
  history: PretrainHistory,
  step: number,
  ended: string | undefined,
): boolean {
  if (pretraining.validationBatches === 0 || step === 0) return false;
  if (step % clock.validateEverySteps !== 0 && ended === undefined) return false;
  return history.validations.every((validation) => validation.step !== step);
}

async function trainUntilPause(
  training: RecipeTraining,
  source: BatchSource,
  history: PretrainHistory,
  from: TrainingState,
): Promise<TrainingState> {
  const { recipe, clock, context, pretraining } = training;
  const { plateauRate } = recipeOutlook(history.validations, recipe.training, clock);
  const nextValidation = (Math.floor(from.step / clock.validateEverySteps) + 1) * clock.validateEverySteps;
  const wait = new DataWait((text) => context.warn(text));
  const state = await train(
    {
      trainee: pretraining.learner,
      source,
      steps: Math.min(clock.totalSteps, pretraining.validationBatches === 0 ? Infinity : nextValidation),
      mostMs: mostMsOf(recipe),
      learningRateAt: (step) => rateInRecipe(plateauRate, recipe.training, clock, step),
      checkpointEverySteps: recipe.training.checkpointEverySteps,
      saveCheckpoint: (reached) => saveCheckpoint(training, reached),
      onStep: ({ step, lastLoss }, time) => {
        context.report('training', step, clock.totalSteps, lastLoss, time, pretraining.learner.stepFigures);
        wait.note(time);
      },
      stop: context.stop,
      nowMs: () => context.nowMs(),
    },
    from,
  );
  await saveCheckpoint(training, state);
  return state;
}

async function saveCheckpoint({ checkpoints, pretraining: { learner } }: RecipeTraining, state: TrainingState): Promise<void> {
  await checkpoints.save({ state, parameters: learner.readWeights(), optimizer: learner.readOptimizerState() });
}

/** Validates, keeps the weights when they are the best so far, then notes the validation: in this order, for a crash between. */
async function addValidation(training: RecipeTraining, history: PretrainHistory, state: TrainingState): Promise<PretrainHistory> {
  const { recipe, clock, context, folder, pretraining } = training;
  const { learner, validationBatches } = pretraining;
  const { score, monitors } = await lookAtProbe(learner, recipe.objective, pretraining.validationPairs(), context.stop, (done) =>
    context.report('validating', done, validationBatches),
  );
  const before = recipeOutlook(history.validations, recipe.training, clock);
  const isBest = score.restorationError < before.bestLoss;
  if (isBest) await writeSafetensors(folder.bestFile, learner.readAverage() ?? learner.readWeights());
  const last = history.validations.at(-1);
  const steps = state.step - (last?.step ?? 0);
  const validation: PretrainValidation = {
    step: state.step,
    epoch: state.step / clock.stepsPerEpoch,
    loss: score.restorationError,
    trainingLoss: steps > 0 ? (state.lossSum - (last?.lossSum ?? 0)) / steps : null,
    learningRate: rateInRecipe(before.plateauRate, recipe.training, clock, Math.max(0, state.step - 1)),
    lossSum: state.lossSum,
    trainingMs: state.trainingMs,
    score,
    ...(monitors === undefined ? {} : { monitors }),
  };
  const extended = { ...history, validations: [...history.validations, validation] };
  await writeRecord(folder.historyFile, extended);
  context.announce(describeValidation(validation, isBest));
  return extended;
}

function describeValidation({ epoch, step, loss, score, monitors }: PretrainValidation, isBest: boolean): string {
  const when = `epoch ${Number(epoch.toFixed(2))}, step ${step}`;
  const heads = monitors === undefined ? '' : `; ${describeMonitors(monitors)}`;
  return `${when}: validation loss ${loss.toFixed(5)}${isBest ? ', the best so far' : ''}; skill ${describeSkill(score)}${heads}`;
}
