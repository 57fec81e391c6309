import { makeBatch, makeLearner } from './engine-case.mjs';
import { round } from './statistics.mjs';

/**
 * What `steps` steps leave behind after a garbage collection: bytes of JavaScript's heap, of memory outside it, and tensors.
 * A tiny network, for the objects made in a step do not depend on its size. Needs `--expose-gc`.
 */
export function measureGrowth(runtime, options, steps) {
  if (globalThis.gc === undefined) throw new Error('start the process with --expose-gc');
  const tiny = { ...options, width: 1, batch: 2, patch: options.patch.map(() => 16) };
  const { learner, network } = makeLearner(runtime, tiny);
  const batch = makeBatch(tiny, network);
  const take = (count) => {
    for (let step = 0; step < count; step++) learner.step(batch);
    return snapshot(runtime);
  };
  const [before, after] = [take(steps), take(steps)]; // the first half also warms the compiler up
  learner.dispose();
  const kibibytes = (name) => round((after[name] - before[name]) / 1024, 1);
  return {
    steps,
    heapKiB: kibibytes('heapUsed'),
    externalKiB: kibibytes('external'),
    arrayBuffersKiB: kibibytes('arrayBuffers'),
    tensors: after.tensors - before.tensors,
  };
}

function snapshot(runtime) {
  globalThis.gc();
  globalThis.gc(); // the first finds what finalisers still hold
  return { ...process.memoryUsage(), tensors: runtime.liveTensors() };
}
