/**
 * Training steps of a narrow U-Net, as a process that waits for its turns. Lines in: `fed N` steps whose batches threads make
 * beside them, `ready N` steps on batches made beforehand, `unfed N` steps whose batches are made between them.
 */
import { createInterface } from 'node:readline';
import { initialWeights, modelSpecSchema } from '../../shared/dist/models/index.js';
import { objectiveSchema, patchPlanSchema } from '../../shared/dist/wire/index.js';
import { openRuntime } from '../../site-agent/dist/engine/open-runtime.js';
import { batchThreadsFor, openPretrainFeed } from '../../site-agent/dist/training/batch-feed.js';
import { Learner } from '../../site-agent/dist/training/learner.js';
import { train, UNTRAINED } from '../../site-agent/dist/training/train.js';
import { peakRssMiB, processorSeconds, send } from './line-channel.mjs';

const { volumes, threads, batchSize, width } = JSON.parse(process.argv[2]);
/** Steps at the start of a turn that do not count: what threads made ahead during the turns before it is used up, or made. */
const UNCOUNTED = { fed: 4, ready: 1, unfed: 1 };

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width });
const runtime = openRuntime({ threads });
const learner = Learner.create({ runtime, spec, optimizer: { kind: 'sgd', learningRate: 0.01, momentum: 0.9 }, loss: 'mse' });
learner.loadWeights(initialWeights(spec, 1));

const patch = patchPlanSchema.parse({ sizeVoxels: [64, 64, 32] });
const stream = {
  volumes,
  patch,
  objective: objectiveSchema.parse({ kind: 'models-genesis' }),
  streamName: '1/round-1',
  batchSize,
};
const feeds = {
  fed: openPretrainFeed({ ...stream, threads: batchThreadsFor(threads) }),
  unfed: openPretrainFeed({ ...stream, threads: 0 }),
  ready: await readyBatches(),
};
const reached = { fed: 0, unfed: 0, ready: 0 };

send({ engine: `TensorFlow ${runtime.binding.TF_Version}`, threads, batchThreads: batchThreadsFor(threads) });
for await (const line of createInterface({ input: process.stdin })) {
  const [name, steps] = line.split(' ');
  send(name === 'facts' ? { peakRssMiB: peakRssMiB() } : await takeSteps(name, Number(steps)));
}
await Promise.all(Object.values(feeds).map((feed) => feed.close()));
process.exit(0);

async function takeSteps(name, steps) {
  const times = [];
  let processorBefore = processorSeconds();
  const last = reached[name] + UNCOUNTED[name] + steps;
  await train(
    {
      trainee: learner,
      source: feeds[name],
      steps: last,
      learningRateAt: () => 0.01,
      checkpointEverySteps: Infinity,
      saveCheckpoint: async () => undefined,
      onStep: (state, time) => {
        if (state.step === last - steps) processorBefore = processorSeconds();
        if (state.step > last - steps) times.push(time);
      },
      stop: new AbortController().signal,
      nowMs: () => performance.now(),
    },
    { ...UNTRAINED, step: reached[name] },
  );
  reached[name] = last;
  return { times, processorSeconds: processorSeconds() - processorBefore };
}

/** The same kind of batches, kept in memory. */
async function readyBatches() {
  const feed = openPretrainFeed({ ...stream, threads: 0 });
  const batches = [];
  for (let step = 0; step < 4; step++) {
    const batch = await feed.batch(step);
    batches.push({ ...batch, input: batch.input.slice(), target: batch.target.slice() });
  }
  await feed.close();
  return { batch: async (step) => batches[step % batches.length], close: async () => undefined };
}
