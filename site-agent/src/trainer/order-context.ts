/** What an order may use of the process that executes it. */
export interface OrderContext {
  /** Aborted when the agent asks the trainer to stop: save, then throw TRAINER_STOPPED (see `train` and `obeyStop`). */
  readonly stop: AbortSignal;
  /** Thinned to a few messages a second; `loss` is averaged over the steps in between. */
  report(phase: string, step: number, steps: number, loss?: number): void;
  /** One line for the site's own log; never leaves the site. */
  warn(text: string): void;
  nowMs(): number;
}
