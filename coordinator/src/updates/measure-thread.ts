/** Entry of a thread that measures updates: one file at a time, until it is terminated. */
import { parentPort } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import type { MeasureAnswer } from './measure-threads.js';
import { measureUpdate, type MeasureTask } from './measure-update.js';

const port = required(parentPort, 'the port of a thread');

port.on('message', (task: MeasureTask) => {
  void answer(task).then((said) => port.postMessage(said));
});

async function answer(task: MeasureTask): Promise<MeasureAnswer> {
  try {
    return { measured: await measureUpdate(task) };
  } catch (thrown) {
    return { error: FederationError.from(thrown, 'STORAGE_FAILED').toReport() };
  }
}
