/** Our side of a case: runtime, learner and batch, from the built program. */
import { buildNetwork } from '../../site-agent/dist/networks/build-network.js';
import { openRuntime } from '../../site-agent/dist/engine/open-runtime.js';
import { Runtime } from '../../site-agent/dist/engine/runtime/runtime.js';
import { Learner } from '../../site-agent/dist/training/learner.js';
import { manifestOf, modelSpecSchema } from '../../shared/dist/models/index.js';
import { madeValues, madeWeights } from './made-values.mjs';
import { modelSpecOf, optimizerOf } from './options.mjs';

/** Opens TensorFlow as the trainer does; with `--public` without its private kernels. */
export function openCase({ threads, public: publicOnly }) {
  const runtime = openRuntime({ threads });
  return publicOnly ? new Runtime(runtime.binding) : runtime;
}

/** A learner with made weights; `optimizer` undefined for one that only predicts. */
export function makeLearner(runtime, options, optimizer = optimizerOf(options)) {
  const spec = modelSpecSchema.parse(modelSpecOf(options));
  const learner = Learner.create({ runtime, spec, optimizer, loss: 'mse', precision: options.precision, memory: options.memory });
  const manifest = manifestOf(spec);
  learner.loadWeights(madeWeights(manifest));
  const parameters = manifest.tensors
    .filter(({ name }) => !name.includes('running_') && !name.endsWith('num_batches_tracked'))
    .reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
  return { learner, parameters, network: buildNetwork(spec) };
}

/** Made input and target. */
export function makeBatch({ batch, patch }, { inputChannels, outputs, outputSides }) {
  const count = (...sides) => sides.reduce((product, side) => product * side, batch);
  const input = madeValues(0, count(...patch, inputChannels));
  return { patches: batch, sizeVoxels: patch, input, target: madeValues(1, count(...outputSides(patch), outputs)) };
}
