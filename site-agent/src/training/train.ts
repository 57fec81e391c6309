import { FederationError } from '@consilium/shared/kernel';
import type { BatchSource, PatchBatch } from './patch-batch.js';

/** The part of a learner that the loop needs. */
export interface Trainee {
  setLearningRate(rate: number): void;
  /** Forward, loss, backward, update; the batch's loss. */
  step(batch: PatchBatch): number | Promise<number>;
}

/** Where training stands after `step` steps; the whole of what resuming needs beside weights and optimizer slots. */
export interface TrainingState {
  readonly step: number;
  readonly lossSum: number;
  readonly lastLoss: number;
  /** Time in the loop, over all attempts. */
  readonly trainingMs: number;
  /** The part of it in which a batch was waited for. */
  readonly waitedMs: number;
}

export const UNTRAINED: TrainingState = { step: 0, lossSum: 0, lastLoss: 0, trainingMs: 0, waitedMs: 0 };

/** What one step took. */
export interface StepTime {
  readonly totalMs: number;
  /** Until its batch was there. */
  readonly waitedMs: number;
}

export interface Training {
  readonly trainee: Trainee;
  /** Its batch depends on the step alone, so that a resumed run sees what the undisturbed one saw. */
  readonly source: BatchSource;
  /** Counted from the very first step, resumed or not. */
  readonly steps: number;
  /** Ends training before that, at the first step after so much time in the loop; no limit when left out. */
  readonly mostMs?: number | undefined;
  /** Steps are counted from 0. */
  learningRateAt(step: number): number;
  readonly checkpointEverySteps: number;
  saveCheckpoint(state: TrainingState): Promise<void>;
  onStep?(state: TrainingState, time: StepTime): void;
  /** Obeyed within one step; the state is saved on the way out. */
  readonly stop: AbortSignal;
  nowMs(): number;
}

/**
 * The training loop, from any state to the last step, or to the first one at which the time is up. Throws TRAINING_DIVERGED at the first loss that is not finite and
 * TRAINER_STOPPED when asked to stop, after saving a checkpoint.
 */
export async function train(training: Training, from: TrainingState = UNTRAINED): Promise<TrainingState> {
  let state = from;
  let savedStep = from.step;
  while (!isDone(training, state)) {
    const startedMs = training.nowMs();
    const batch = await training.source.batch(state.step);
    const waitedMs = training.nowMs() - startedMs;
    if (!training.stop.aborted) {
      training.trainee.setLearningRate(training.learningRateAt(state.step));
      const loss = await training.trainee.step(batch);
      requireFinite(loss, state.step);
      const time = { totalMs: training.nowMs() - startedMs, waitedMs };
      state = advance(state, loss, time);
      training.onStep?.(state, time);
      await letEventsIn();
    }
    const done = isDone(training, state);
    const due = state.step % training.checkpointEverySteps === 0 && !done;
    if (state.step > savedStep && (due || training.stop.aborted)) {
      await training.saveCheckpoint(state);
      savedStep = state.step;
    }
    if (training.stop.aborted && !done) throw stopped(state.step);
  }
  return state;
}

function isDone({ steps, mostMs = Infinity }: Training, { step, trainingMs }: TrainingState): boolean {
  return step >= steps || (step > 0 && trainingMs >= mostMs);
}

/** Throws TRAINER_STOPPED when a stop was asked for: for the stretches of work that have no steps. */
export function obeyStop(stop: AbortSignal): void {
  if (stop.aborted) throw stopped(0);
}

/**
 * A step blocks the event loop. Two turns guarantee one poll for signals and for the channel to the agent before the next.
 */
export async function letEventsIn(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function advance(state: TrainingState, loss: number, time: StepTime): TrainingState {
  return {
    step: state.step + 1,
    lossSum: state.lossSum + loss,
    lastLoss: loss,
    trainingMs: state.trainingMs + time.totalMs,
    waitedMs: state.waitedMs + time.waitedMs,
  };
}

function requireFinite(loss: number, step: number): void {
  if (Number.isFinite(loss)) return;
  throw diverged(step, 'the loss is no longer a finite number');
}

/** TRAINING_DIVERGED at a step, with the usual cure. */
export function diverged(step: number, reason: string): FederationError {
  return new FederationError('TRAINING_DIVERGED', `training diverged at step ${step}: ${reason}`, {
    details: { step },
    remedy: 'Lower the learning rate in the plan, or use instance norm.',
  });
}

function stopped(step: number): FederationError {
  return new FederationError('TRAINER_STOPPED', 'the trainer was asked to stop; its work so far is kept', {
    details: { step },
    retryable: true,
    remedy: 'Give the same order again to continue.',
  });
}
