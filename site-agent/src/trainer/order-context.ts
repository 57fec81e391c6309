/** What an order may use of the process that executes it. */
export interface OrderContext {
  /** Aborted when the agent asks the trainer to stop: save, then throw TRAINER_STOPPED (see `train` and `obeyStop`). */
  readonly stop: AbortSignal;
  /** Thinned to a few messages a second; `loss` is averaged over the steps in between. */
  report(phase: string, step: number, steps: number, loss?: number): void;
  /** A choice that was made for the site, in one line for its own log: the device, say. Never leaves the site. */
  announce(text: string): void;
  /** A line about something that is not as it should be; never leaves the site either. */
  warn(text: string): void;
  nowMs(): number;
}
