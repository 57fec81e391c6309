/** Entry of a batch thread: fills one place of the ring after the other, until it is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import { BatchRing, type PairPlace } from './batch-ring.js';
import type { BatchThreadWork, BatchThreadWord } from './batch-threads.js';
import { PatchStream } from './patch-stream.js';

const port = required(parentPort, 'the port of a batch thread');
const { stream: options, ring: shared } = workerData as BatchThreadWork;
const ring = new BatchRing(shared);
const stream = new PatchStream(options);

for (;;) fillNext(ring.take());

function fillNext(place: PairPlace): void {
  const { step } = place;
  try {
    stream.writePair(place.index, place);
    if (ring.fill(place)) port.postMessage({ step } satisfies BatchThreadWord);
  } catch (thrown) {
    port.postMessage({ step, error: FederationError.from(thrown).toReport() } satisfies BatchThreadWord);
  }
}
