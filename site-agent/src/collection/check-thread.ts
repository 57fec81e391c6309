/** Entry of a thread that reads voxels: one scan at a time, until it is terminated. */
import { parentPort } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import { checkScan, type CheckTask } from './check-scan.js';
import type { CheckAnswer } from './check-threads.js';

const port = required(parentPort, 'the port of a thread');

port.on('message', (task: CheckTask) => {
  void answer(task).then((said) => port.postMessage(said));
});

async function answer(task: CheckTask): Promise<CheckAnswer> {
  try {
    return { outcome: await checkScan(task) };
  } catch (thrown) {
    return { error: FederationError.from(thrown).toReport() };
  }
}
