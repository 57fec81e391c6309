/** Time as a port, so that rounds, leases and backoff run in simulated time too. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
}

/** Ends the waiting; harmless when it is over already. */
export type Cancel = () => void;

/** A clock that also calls back. What runs must not throw; a clock never calls back before `after` or `every` has returned. */
export interface AlarmClock extends Clock {
  after(delayMs: number, run: () => void): Cancel;
  /** First after one interval, then again and again until it is cancelled. */
  every(intervalMs: number, run: () => void): Cancel;
}

/** Time of this machine. Whoever waits keeps the process alive. */
export const systemClock: AlarmClock = {
  nowMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  every: (intervalMs, run) => {
    const timer = setInterval(run, intervalMs);
    return () => clearInterval(timer);
  },
};
