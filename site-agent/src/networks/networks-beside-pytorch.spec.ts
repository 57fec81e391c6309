import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestOf, modelSpecSchema, type ModelSpec, statisticNames } from '@consilium/shared/models';
import { elementCount, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { madeFractions, madeWeights } from '../../../test/fixtures/made-network-values.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { openRuntime } from '../engine/open-runtime.js';
import { ParameterSet } from '../engine/parameters.js';
import { Runtime } from '../engine/runtime/runtime.js';
import { type MemoryUse, Tape } from '../engine/tape.js';
import { buildNetwork } from './build-network.js';

interface Case {
  spec: object;
  examples: number;
  sides: [number, number, number];
  seed: number;
}

interface Result {
  output: Float32Array;
  shape: readonly number[];
  gradients: WeightSet;
  weights: WeightSet;
}

const FOLDER = join(PROJECT_ROOT, 'test/fixtures/network-goldens');
const { cases } = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as { cases: Record<string, Case> };
const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };

/** Builds the case's network with the made weights, lets `use` work with it, and checks that nothing is left behind. */
function withNetwork<T>(runtime: Runtime, { spec, seed }: Case, use: (model: ModelSpec, parameters: ParameterSet) => T): T {
  const model = modelSpecSchema.parse(spec);
  const before = runtime.liveTensors() - runtime.constantCount;
  const parameters = new ParameterSet(runtime, manifestOf(model), buildNetwork(model).idleParameters, statisticNames(model));
  parameters.load(madeWeights(model, seed));
  try {
    return use(model, parameters);
  } finally {
    parameters.dispose();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  }
}

/** Forward in training, back from the made slopes; also what the running statistics became. */
function train(runtime: Runtime, golden: Case, memory: MemoryUse = 'plain'): Result {
  return withNetwork(runtime, golden, (model, parameters) => {
    const network = buildNetwork(model);
    const tape = new Tape(runtime, true, { memory });
    const output = network.forward(tape, parameters, tape.input(inputOf(runtime, golden, network.inputChannels)));
    const { shape } = output;
    const values = runtime.read(output.tensor);
    output.tensor.free();
    const slopes = Float32Array.from(madeFractions(golden.seed, 1, elementCount(shape)), (fraction) => 2 * fraction - 1);
    tape.backward(output, runtime.tensor(slopes, shape));
    return { output: values, shape, gradients: parameters.takeGradients(), weights: parameters.read() };
  });
}

/** Forward only, not in training: running statistics are used where there are some. */
function evaluate(runtime: Runtime, golden: Case): Float32Array {
  return withNetwork(runtime, golden, (model, parameters) => {
    const network = buildNetwork(model);
    const tape = new Tape(runtime, false);
    const output = network.forward(tape, parameters, tape.input(inputOf(runtime, golden, network.inputChannels)));
    const values = runtime.read(output.tensor);
    output.tensor.free();
    expect(parameters.read()).toEqual(madeWeights(model, golden.seed));
    return values;
  });
}

function inputOf(runtime: Runtime, { examples, sides, seed }: Case, channels: number) {
  const shape = [examples, ...sides, channels];
  return runtime.tensor(Float32Array.from(madeFractions(seed, 0, elementCount(shape))), shape);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  const difference = actual.map((value, i) => value - (expected[i] as number));
  return Math.sqrt(dot(difference, difference) / dot(expected, expected));
}

/** PyTorch's own 32 bits differ from its 64 by 2.1e-5 on the deepest of these networks, by 2e-6 at most on the others. */
const OUTPUT_ERROR = 5e-5;

/** The bias of a batch norm's convolution has no effect in training: both programs leave rounding errors there. */
const NO_GRADIENT = 1e-6;

describe.each(Object.entries(cases))('%s', (name, golden) => {
  const loaded = readSafetensors(join(FOLDER, `${name}.safetensors`)).then(({ weights }) => {
    return new Map(weights.map((tensor) => [tensor.name, tensor]));
  });

  it.each(Object.entries(RUNTIMES))('answers and learns as PyTorch in 64 bits, with %s kernels', async (_kind, runtime) => {
    const expected = await loaded;
    const actual = train(runtime, golden);
    expect(actual.shape).toEqual(expected.get('output')?.shape);
    expect(relativeDifference(actual.output, expected.get('output')?.values as Float32Array)).toBeLessThan(OUTPUT_ERROR);
    const idle = buildNetwork(modelSpecSchema.parse(golden.spec)).idleParameters;
    const largest = Math.max(
      ...[...expected].filter(([key]) => key.startsWith('gradient.')).map(([, { values }]) => dot(values, values)),
    );
    for (const { name: parameter, values } of actual.gradients) {
      const wanted = expected.get(`gradient.${parameter}`)?.values ?? new Float32Array(values.length);
      const [ours, theirs] = [Math.sqrt(dot(values, values)), Math.sqrt(dot(wanted, wanted))];
      if (theirs < NO_GRADIENT * Math.sqrt(largest)) {
        expect({ parameter, size: ours, fits: ours < 1e-4 * Math.sqrt(largest) }).toMatchObject({ fits: true });
        if (idle.has(parameter)) expect(ours).toBe(0);
        continue;
      }
      const cosine = dot(values, wanted) / (ours * theirs);
      expect({ parameter, cosine, fits: cosine >= 0.9999 }).toMatchObject({ fits: true });
      expect({ parameter, fits: Math.abs(ours / theirs - 1) < 1e-3 }).toMatchObject({ fits: true });
    }
  });

  it('moves its running statistics as PyTorch, and nothing else', async () => {
    const expected = await loaded;
    const model = modelSpecSchema.parse(golden.spec);
    const before = new Map(madeWeights(model, golden.seed).map((tensor) => [tensor.name, tensor.values]));
    for (const { name: parameter, values } of train(native, golden).weights) {
      const after = expected.get(`after.${parameter}`)?.values;
      expect(after !== undefined).toBe(statisticNames(model).has(parameter));
      if (after === undefined) expect(values).toEqual(before.get(parameter));
      else expect(relativeDifference(values, after)).toBeLessThan(1e-5);
    }
  });

  it('evaluates as PyTorch, with running statistics where it has some', async () => {
    const expected = (await loaded).get('evaluation')?.values as Float32Array;
    for (const runtime of Object.values(RUNTIMES)) {
      expect(relativeDifference(evaluate(runtime, golden), expected)).toBeLessThan(OUTPUT_ERROR);
    }
  });

  it.each(['lean', 'leanest'] as const)('gives the same bits with %s memory', (memory) => {
    expect(train(native, golden, memory)).toEqual(train(native, golden));
  });

  it('says beforehand how large its answer is', () => {
    const model = modelSpecSchema.parse(golden.spec);
    const network = buildNetwork(model);
    expect([golden.examples, ...(network.outputSides(golden.sides) ?? []), network.outputs]).toEqual(train(native, golden).shape);
  });
});
