/** Entry of a batch thread: makes the pairs it is asked for, one at a time, until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import type { PairAnswer, PairRequest } from './batch-threads.js';
import { PatchStream, type PatchStreamOptions } from './patch-stream.js';

const port = required(parentPort, 'the port of a batch thread');
const stream = new PatchStream(workerData as PatchStreamOptions);

port.on('message', ({ id, index }: PairRequest) => {
  try {
    const pair = stream.pair(index);
    const [input, target] = [movable(pair.input), pair.target === pair.input ? pair.target.slice() : movable(pair.target)];
    const buffers = [input.buffer, target.buffer] as ArrayBuffer[];
    port.postMessage({ id, input, target } satisfies PairAnswer, buffers);
  } catch (thrown) {
    port.postMessage({ id, error: FederationError.from(thrown).toReport() } satisfies PairAnswer);
  }
});

/** The whole of its own, unshared buffer; anything else is copied. */
function movable(values: Float32Array): Float32Array {
  const whole = values.byteOffset === 0 && values.byteLength === values.buffer.byteLength;
  return whole && values.buffer instanceof ArrayBuffer ? values : new Float32Array(values);
}
