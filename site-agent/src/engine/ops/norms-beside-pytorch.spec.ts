import { join } from 'node:path';
import { readSafetensors } from '@consilium/shared/weights';
import { relativeDifference } from '../../../../test/fixtures/gradient-check.js';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { type Dense, type LayerCall, runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { Runtime } from '../runtime/runtime.js';
import { Statistic } from '../statistic.js';
import type { RunningStatistics } from './batch-statistics.js';
import { gelu } from './gelu.js';
import { normalise, type NormOptions } from './normalise.js';
import { leakyRectify, rectify } from './rectify.js';
import { sigmoid } from './sigmoid.js';
import { softmax } from './softmax.js';

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };

/** With running statistics: their momentum in `running`, and `frozen` where PyTorch's layer evaluates. */
const NORMS: Readonly<Record<string, Omit<NormOptions, 'running'> & { readonly momentum?: number }>> = {
  batch: { over: 'batch', momentum: 0.1 },
  'batch-one-channel': { over: 'batch', momentum: 0.1 },
  'batch-17-channels': { over: 'batch', epsilon: 1e-3, momentum: 0.01 },
  'batch-leaky': { over: 'batch', negativeSlope: 0.2, momentum: 0.1 },
  'batch-evaluated': { over: 'batch', frozen: true, momentum: 0.1 },
  'batch-evaluated-leaky': { over: 'batch', epsilon: 1e-3, frozen: true, negativeSlope: 0.01, momentum: 0.1 },
  'batch-without-voxels': { over: 'batch', momentum: 0.1 },
  instance: { over: 'instance' },
  'instance-one-example': { over: 'instance', epsilon: 1e-3 },
  'instance-leaky': { over: 'instance', negativeSlope: 0.01 },
  'instance-far-from-zero': { over: 'instance' },
  group: { over: { groups: 2 } },
  'group-one': { over: { groups: 1 } },
  'group-each': { over: { groups: 3 }, epsilon: 1e-3 },
  'group-one-voxel': { over: { groups: 2 } },
  'group-leaky': { over: { groups: 8 }, negativeSlope: 0.1 },
  'group-far-from-zero': { over: { groups: 2 } },
};

const ACTIVATIONS: Readonly<Record<string, LayerCall>> = {
  relu: (tape, [input]) => rectify(tape, input),
  'leaky-relu': (tape, [input]) => leakyRectify(tape, input),
  gelu: (tape, [input]) => gelu(tape, input),
  'gelu-tanh': (tape, [input]) => gelu(tape, input, 'tanh'),
  sigmoid: (tape, [input]) => sigmoid(tape, input),
  softmax: (tape, [input]) => softmax(tape, input),
  'softmax-without-voxels': (tape, [input]) => softmax(tape, input),
};

/** Largest difference, as a share of the tensor's largest value: 32-bit rounding, most where the sum of one channel nearly cancels. */
const TOLERANCE = 5e-6;
/** Values about 30 with a spread of 0.5: their distances from the mean have lost six bits before the norm sees them. */
const FAR_TOLERANCE = 6e-5;

let goldens: ReadonlyMap<string, Dense>;

beforeAll(async () => {
  const { weights } = await readSafetensors(join(PROJECT_ROOT, 'test/fixtures/norm-goldens/norms.safetensors'));
  goldens = new Map(weights.map(({ name, shape, values }) => [name, { shape, values: Float64Array.from(values) }]));
});

function golden(name: string): Dense {
  const found = goldens.get(name);
  if (found === undefined) throw new Error(`the goldens have ${name}`);
  return found;
}

function startStatistics(runtime: Runtime, channels: number, momentum: number): RunningStatistics {
  const [mean, variance] = [new Statistic(runtime, 'mean', [channels]), new Statistic(runtime, 'variance', [channels])];
  mean.load(Float32Array.from({ length: channels }, (_, c) => 0.25 * c - 0.5));
  variance.load(Float32Array.from({ length: channels }, (_, c) => 0.5 + 0.25 * c));
  return { mean, variance, momentum };
}

describe.each(Object.entries(RUNTIMES))('with %s kernels, as PyTorch in 64 bits', (_kind, runtime) => {
  it.each(Object.keys(NORMS))('the norm %s', (name) => {
    const { momentum, ...options } = NORMS[name] as (typeof NORMS)[string];
    const [input, weight, bias] = ['input', 'weight', 'bias'].map((part) => golden(`${name}.${part}`)) as [Dense, Dense, Dense];
    const running = momentum === undefined ? undefined : startStatistics(runtime, weight.values.length, momentum);
    const result = runLayer(
      runtime,
      (tape, [x], [scale, offset]) =>
        normalise(tape, x, scale, offset, running === undefined ? options : { ...options, running }),
      { inputs: [input], parameters: [weight, bias] },
      golden(`${name}.slope`),
    );
    const found = [result.output, ...result.gradients];
    const moved = running === undefined ? [] : [running.mean.read(), running.variance.read()];
    const wanted = ['output', 'gradient', 'weight.gradient', 'bias.gradient'];
    if (running !== undefined) wanted.push('running_mean', 'running_var');
    const errors = wanted.map((part, i) => relativeDifference([...found, ...moved][i] ?? [], golden(`${name}.${part}`).values));
    running?.mean.dispose();
    running?.variance.dispose();
    expect(Math.max(...errors)).toBeLessThan(name.endsWith('far-from-zero') ? FAR_TOLERANCE : TOLERANCE);
    expect(result.leaked).toBe(0);
  });

  it.each(Object.keys(ACTIVATIONS))('%s', (name) => {
    const layer = ACTIVATIONS[name] as LayerCall;
    const result = runLayer(runtime, layer, { inputs: [golden(`${name}.input`)], parameters: [] }, golden(`${name}.slope`));
    expect(relativeDifference(result.output, golden(`${name}.output`).values)).toBeLessThan(TOLERANCE);
    expect(relativeDifference(result.gradients[0] ?? [], golden(`${name}.gradient`).values)).toBeLessThan(TOLERANCE);
    expect(result.leaked).toBe(0);
  });
});
