/**
 * Averaging of arrays that lie in memory, by the fold's own kernels in its own ranges: each thread holds its part of every array.
 * Started as a thread, this file is such a thread.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { RANGE_ELEMENTS } from '../../coordinator/dist/aggregation/fold/fold-memory.js';
import { LANES, openKernels, paddedCount, UPDATES_PER_PASS } from '../../coordinator/dist/aggregation/kernels/range-kernels.js';
import { timeTurns } from './time-turns.mjs';

/** What each of `repeats` averagings took, base and finiteness included. */
export async function averageInMemory({ parameters, sites, threads, repeats }) {
  const elements = paddedCount(Math.ceil(parameters / threads));
  const stripes = Array.from({ length: threads }, () => {
    return new Worker(new URL(import.meta.url), { workerData: { elements, sites } });
  });
  const all = (task) => Promise.all(stripes.map((stripe) => ask(stripe, task)));
  await all('fill');
  const timings = await timeTurns(repeats, () => all('average'));
  await Promise.all(stripes.map((stripe) => stripe.terminate()));
  return timings;
}

function ask(stripe, task) {
  return new Promise((resolve, reject) => {
    stripe.once('message', resolve);
    stripe.once('error', reject);
    stripe.postMessage(task);
  });
}

/** The arrays start a little apart from multiples of a page, so that they do not fight for the same lines of a cache. */
const GAP = 3 * 8 * LANES;

function openStripe({ elements, sites }) {
  const stride = elements + GAP;
  const kernels = openKernels(4 * (2 * RANGE_ELEMENTS + stride * (sites + 2)));
  const array = (index) => new Float32Array(kernels.buffer, 4 * (2 * RANGE_ELEMENTS + index * stride), elements);
  const sums = new Float64Array(kernels.buffer, 0, RANGE_ELEMENTS);
  const [base, next] = [array(0), array(1)];
  const deltas = Array.from({ length: sites }, (_, site) => array(site + 2));
  const weights = deltas.map((_, site) => 100 + 37 * site);
  const total = weights.reduce((sum, weight) => sum + weight);
  return {
    fill: () => [base, ...deltas].forEach((values, index) => values.forEach((_, i) => (values[i] = ((i + index) % 1000) / 1000))),
    average: () => {
      for (let from = 0; from < elements; from += RANGE_ELEMENTS) {
        const to = Math.min(from + RANGE_ELEMENTS, elements);
        const into = sums.subarray(0, to - from);
        for (let first = 0; first < sites; first += UPDATES_PER_PASS) {
          const last = first + UPDATES_PER_PASS;
          const pass = deltas.slice(first, last).map((values) => values.subarray(from, to));
          kernels.addWeighted(into, pass, weights.slice(first, last), first > 0);
        }
        kernels.divide(into, total);
        const part = next.subarray(from, to);
        kernels.applyDelta(into, base.subarray(from, to), part, 1);
        if (!kernels.allFinite(part)) throw new Error('the average is not finite');
      }
    },
  };
}

if (!isMainThread) {
  const stripe = openStripe(workerData);
  parentPort.on('message', (task) => {
    stripe[task]();
    parentPort.postMessage('done');
  });
}
