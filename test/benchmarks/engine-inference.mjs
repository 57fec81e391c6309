/**
 * The engine's side of the inference benchmark: the product's own sliding window over a made volume, as a process that waits
 * for its turn after every few windows. Lines in: `windows N` the next N windows; `facts` peak memory.
 */
import { planWindows, predictVolume } from '../../site-agent/dist/finetuning/sliding-window.js';
import { makeLearner, openCase } from './engine-case.mjs';
import { peakRssMiB, receive, send } from './line-channel.mjs';
import { madeValues } from './made-values.mjs';
import { INFERENCE_OPTIONS, readOptions, readSides } from './options.mjs';

const options = readOptions(process.argv.slice(2), INFERENCE_OPTIONS);
const volume = readSides('volume', options.volume);
const runtime = openCase(options);
const { learner, parameters, network } = makeLearner(runtime, options, undefined);
const voxels = madeValues(
  0,
  volume.reduce((product, side) => product * side, 1),
);
const windows = planWindows(volume, options.patch, 0.5).length;

send({
  engine: `TensorFlow ${runtime.binding.TF_Version}`,
  parameters,
  windows,
  windowsPerBatch: 1,
  native: runtime.native,
  peakRssMiB: peakRssMiB(),
});

let left = awaitTurn();
const turn = turnClock();
const all = { outputs: network.outputs, from: 0, to: network.outputs };
const asReference = { overlap: 0.5, weighting: 'mean', mirrorAxes: [] };
function predict(input) {
  if (left === 0) {
    turn.end();
    left = awaitTurn();
    turn.begin();
  }
  left -= 1;
  return learner.predict(input, 1, options.patch);
}
const answer = predictVolume(voxels, volume, options.patch, all, predict, asReference);
turn.end();
while (receive() !== undefined) send({ peakRssMiB: peakRssMiB(), mean: mean(answer) });

/** Windows that may run now. */
function awaitTurn() {
  return Number(receive()?.split(' ')[1] ?? process.exit());
}

function turnClock() {
  let [started, processor] = [performance.now(), process.cpuUsage()];
  return {
    begin() {
      [started, processor] = [performance.now(), process.cpuUsage()];
    },
    end() {
      const { user, system } = process.cpuUsage(processor);
      send({ seconds: (performance.now() - started) / 1000, processorSeconds: (user + system) / 1e6 });
    },
  };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
