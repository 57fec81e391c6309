/**
 * The program of a trainer process: one order in, progress out, one result or one failure, then it ends. It owns
 * TensorFlow and blocks while a step runs; between steps it sees signals and the channel to the agent.
 */
import process from 'node:process';
import { systemClock } from '@consilium/shared/kernel';
import { asTrainingError, failureMessage } from './failure-message.js';
import { preferToBeKilled } from './kill-preference.js';
import type { OrderContext } from './order-context.js';
import { executeOrder } from './orders.js';
import { ProgressMeter } from './progress-meter.js';
import type { TrainerMessage, TrainerOrder } from './trainer-messages.js';

const stop = new AbortController();
preferToBeKilled();

// The agent decides when to stop: Ctrl-C reaches its whole process group, this process included.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => stop.abort());
// The agent is gone, perhaps killed: nobody is left to deliver to, and the next agent resumes from the last checkpoint.
process.on('disconnect', () => process.exit(0));
process.once('message', (order) => void work(order as TrainerOrder));
if (!process.connected) process.exit(0); // it went while this program was loading

async function work(order: TrainerOrder): Promise<void> {
  const exitCode = await executeOrder(order, context()).then(
    async (result) => {
      await post({ kind: 'result', result });
      return 0;
    },
    async (thrown: unknown) => {
      const error = asTrainingError(thrown);
      await post(failureMessage(error));
      return error.exitCode;
    },
  );
  process.exit(exitCode);
}

function context(): OrderContext {
  const meter = new ProgressMeter(
    (progress) => void post(progress),
    () => systemClock.nowMs(),
  );
  return {
    stop: stop.signal,
    report: (...what) => meter.report(...what),
    announce: (text) => void post({ kind: 'announcement', text }),
    warn: (text) => void post({ kind: 'warning', text }),
    nowMs: () => performance.now(),
  };
}

/** Resolves when the message is on its way; the agent being gone is for the disconnect handler. */
function post(message: TrainerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
