/** The loop of a batch thread: fills one place of the ring after the other, until the thread is terminated. */
import { parentPort, workerData } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import { BatchRing, type PairPlace } from './batch-ring.js';
import type { BatchThreadWord, BatchThreadWork } from './batch-threads.js';

/** @param open what makes one pair after the other, from what the thread was started with. */
export function serveRing<Work>(open: (work: Work) => (place: PairPlace) => void): never {
  const port = required(parentPort, 'the port of a batch thread');
  const { work, ring: shared } = workerData as BatchThreadWork;
  const ring = new BatchRing(shared);
  const write = open(work as Work);
  for (;;) {
    const place = ring.take();
    const { step } = place;
    try {
      write(place);
      if (ring.fill(place)) port.postMessage({ step } satisfies BatchThreadWord);
    } catch (thrown) {
      port.postMessage({ step, error: FederationError.from(thrown).toReport() } satisfies BatchThreadWord);
    }
  }
}
