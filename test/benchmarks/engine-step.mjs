/**
 * The engine's side of the step benchmark, as a process that waits for its turns. Lines in: `step` one training step;
 * `facts` peak memory; `overhead N` the share of N steps spent outside TensorFlow; `growth N` what N steps leave behind.
 */
import { makeBatch, makeLearner, openCase } from './engine-case.mjs';
import { clocked, peakRssMiB, send, serve } from './line-channel.mjs';
import { measureGrowth } from './measure-growth.mjs';
import { measureOverhead } from './measure-overhead.mjs';
import { readOptions } from './options.mjs';

const options = readOptions(process.argv.slice(2));
const runtime = openCase(options);
const clock = clocked();
const { learner, parameters, network } = makeLearner(runtime, options);
const batch = makeBatch(options, network);

send({
  engine: `TensorFlow ${runtime.binding.TF_Version}`,
  parameters,
  native: runtime.native,
  threads: Number(process.env.TF_NUM_INTRAOP_THREADS),
  peakRssMiB: peakRssMiB(),
});
serve({
  step() {
    const { value, ...times } = clock(() => learner.step(batch));
    return { ...times, loss: value };
  },
  facts: () => ({ peakRssMiB: peakRssMiB() }),
  overhead(steps) {
    learner.dispose();
    return measureOverhead(runtime, options, batch, Number(steps));
  },
  growth: (steps) => measureGrowth(runtime, options, Number(steps)),
});
