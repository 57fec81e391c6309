import type { StepFigures } from '@consilium/shared/wire';
import type { StepTime } from '../training/train.js';

/** What an order may use of the process that executes it. */
export interface OrderContext {
  /** Aborted when the agent asks the trainer to stop: save, then throw TRAINER_STOPPED (see `train` and `obeyStop`). */
  readonly stop: AbortSignal;
  /** Thinned to a few messages a second; `loss` and `figures` are averaged and `time` added up over the steps in between. */
  report(phase: string, step: number, steps: number, loss?: number, time?: StepTime, figures?: StepFigures): void;
  /** A choice that was made for the site, in one line for its own log: the device, say. Never leaves the site. */
  announce(text: string): void;
  /** A line about something that is not as it should be; never leaves the site either. */
  warn(text: string): void;
  nowMs(): number;
}
