import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { join } from 'node:path';
import { initialWeights, manifestOf, type ModelSpec, modelSpecSchema, unet3dSpecSchema } from '@consilium/shared/models';
import { readSafetensors, subtractWeights, type WeightSet } from '@consilium/shared/weights';
import { Random } from '@consilium/shared/kernel';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import type { LossName } from '../engine/losses/loss-plan.js';
import { openRuntime } from '../engine/open-runtime.js';
import { Runtime } from '../engine/runtime/runtime.js';
import { Learner } from './learner.js';
import type { PatchBatch } from './patch-batch.js';

interface Golden {
  mse: { loss: number; gradientNorm: number };
  dice: { loss: number; gradientNorm: number };
  bce: { loss: number; gradientNorm: number };
  sgd: number[];
  adam: number[];
}

const FOLDER = join(PROJECT_ROOT, 'test/fixtures/engine-goldens');
const goldens = (JSON.parse(readFileSync(join(FOLDER, 'goldens.json'), 'utf8')) as { variants: Record<string, Golden> }).variants;
const runtime = openRuntime({ threads: 2 });

async function loadVariant(
  name: string,
): Promise<{ spec: ModelSpec; batch: PatchBatch; weights: WeightSet; gradients: WeightSet }> {
  const [norm, upsampling] = name.split('-');
  const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1, norm, upsampling });
  const { weights } = await readSafetensors(join(FOLDER, `${name}.safetensors`));
  const named = (prefix: string): WeightSet =>
    weights.filter((t) => t.name.startsWith(prefix)).map((t) => ({ ...t, name: t.name.slice(prefix.length) }));
  const values = (key: string): Float32Array => weights.find((t) => t.name === key)?.values ?? new Float32Array();
  const batch: PatchBatch = { patches: 2, sizeVoxels: [16, 16, 8], input: values('input'), target: values('target') };
  return { spec, batch, weights: named('weight.'), gradients: named('gradient.') };
}

function binary(batch: PatchBatch): PatchBatch {
  return { ...batch, target: batch.target.map((value) => (value > 0.5 ? 1 : 0)) };
}

function norm(weights: WeightSet): number {
  return Math.sqrt(weights.reduce((sum, { values }) => sum + dot(values, values), 0));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function withLearner<T>(options: Omit<Parameters<typeof Learner.create>[0], 'runtime'>, use: (learner: Learner) => T): T {
  const learner = Learner.create({ runtime, ...options });
  try {
    return use(learner);
  } finally {
    learner.dispose();
  }
}

describe.each(Object.keys(goldens))('the learner beside PyTorch in 64 bits: %s', (name) => {
  const golden = goldens[name] as Golden;

  it('has the same loss and the same gradient of every parameter', async () => {
    const { spec, batch, weights, gradients } = await loadVariant(name);
    const actual = withLearner({ spec }, (learner) => {
      learner.loadWeights([...weights].reverse());
      return learner.lossAndGradients(batch);
    });
    expect(actual.loss).toBeCloseTo(golden.mse.loss, 6);
    expect(actual.gradients.map((t) => t.name)).toEqual(manifestOf(spec).tensors.map((t) => t.name));
    for (const { name: parameter, shape, values } of gradients) {
      const found = actual.gradients.find((t) => t.name === parameter);
      expect(found?.shape).toEqual(shape);
      const other = found?.values ?? new Float32Array();
      if (/\.[03]\.bias$/.test(parameter)) {
        expect(Math.max(...values.map(Math.abs))).toBeLessThan(1e-9); // no effect before a norm
        expect(other.every((value) => value === 0)).toBe(true);
      } else {
        const cosine = dot(values, other) / Math.sqrt(dot(values, values) * dot(other, other));
        expect({ parameter, cosine, fits: cosine >= 0.9999 }).toMatchObject({ fits: true });
        expect(Math.sqrt(dot(other, other) / dot(values, values))).toBeCloseTo(1, 3);
      }
    }
  });

  it.each([
    ['dice', 1e6],
    ['bce', 1e6],
    ['mse', 1e6],
    ['dice', 1],
    ['bce', 1],
    ['mse', 1],
  ] as const)('has the same %s, computing at most %d voxels at once', async (loss, voxelsPerPass) => {
    const { spec, batch, weights } = await loadVariant(name);
    const actual = withLearner({ spec, loss: loss satisfies LossName, voxelsPerPass }, (learner) => {
      learner.loadWeights(weights);
      return learner.lossAndGradients(loss === 'mse' ? batch : binary(batch));
    });
    expect(actual.loss).toBeCloseTo(golden[loss].loss, 5);
    expect(norm(actual.gradients) / golden[loss].gradientNorm).toBeCloseTo(1, 3);
  });

  it.each([
    ['sgd', { kind: 'sgd', learningRate: 0.1, momentum: 0.9 }],
    ['adam', { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }],
  ] as const)('has the same losses over five steps of %s', async (kind, optimizer) => {
    const { spec, batch, weights } = await loadVariant(name);
    const losses = withLearner({ spec, optimizer }, (learner) => {
      learner.loadWeights(weights);
      return golden[kind].map(() => learner.step(batch));
    });
    for (const [step, loss] of losses.entries()) expect(loss / (golden[kind][step] as number)).toBeCloseTo(1, 3);
  });
});

describe('the learner', () => {
  const spec = unet3dSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
  const sgd = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;
  const adam = { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

  function randomBatch(seed: number, channels = 1): PatchBatch {
    const random = new Random(`learner/${seed}`);
    const fill = (count: number): Float32Array => new Float32Array(count).map(() => random.uniform24());
    const voxels = 16 * 8 * 8;
    return { patches: 3, sizeVoxels: [16, 8, 8], input: fill(3 * voxels), target: fill(3 * voxels * channels) };
  }

  it.each(['batch', 'instance'] as const)('keeps no tensor over 50 steps with %s norm', (kind) => {
    withLearner({ spec: { ...spec, norm: kind }, optimizer: sgd }, (learner) => {
      learner.loadWeights(initialWeights(spec, 1));
      learner.step(randomBatch(0));
      learner.predict(randomBatch(0).input, 3, [16, 8, 8]);
      const before = learner.liveTensors();
      for (let step = 1; step <= 50; step++) learner.step(randomBatch(step % 3));
      learner.predict(randomBatch(0).input, 3, [16, 8, 8]);
      learner.lossAndGradients(randomBatch(0));
      expect(learner.liveTensors()).toBe(before);
    });
  });

  it.each([sgd, adam])('repeats itself to the bit, also when saved and loaded midway: $kind', (optimizer) => {
    const straight = withLearner({ spec, optimizer }, (learner) => {
      learner.loadWeights(initialWeights(spec, 2));
      const losses = [0, 1, 2, 3, 4, 5].map((step) => learner.step(randomBatch(step)));
      return { losses, weights: learner.readWeights(), state: learner.readOptimizerState() };
    });
    const saved = withLearner({ spec, optimizer }, (learner) => {
      learner.loadWeights(initialWeights(spec, 2));
      const losses = [0, 1, 2].map((step) => learner.step(randomBatch(step)));
      return { losses, weights: learner.readWeights(), state: learner.readOptimizerState() };
    });
    const resumed = withLearner({ spec, optimizer }, (learner) => {
      learner.loadWeights(saved.weights);
      learner.loadOptimizerState(saved.state);
      const losses = [3, 4, 5].map((step) => learner.step(randomBatch(step)));
      return { losses: [...saved.losses, ...losses], weights: learner.readWeights(), state: learner.readOptimizerState() };
    });
    expect(resumed).toEqual(straight);
    expect(new Set(straight.losses).size).toBe(6);
  });

  it('returns weights as they were given and never writes into the given arrays', () => {
    const weights = initialWeights(spec, 3);
    const copy = structuredClone(weights);
    withLearner({ spec, optimizer: sgd }, (learner) => {
      learner.loadWeights(weights);
      expect(learner.readWeights()).toEqual(copy);
      learner.step(randomBatch(0));
      expect(weights).toEqual(copy);
      const moved = learner.readWeights();
      const changed = moved.filter((t, i) => !t.values.every((v, j) => v === copy[i]?.values[j])).map((t) => t.name);
      expect(changed).toHaveLength(moved.filter((t) => !/^[ed]\d\.[03]\.bias$/.test(t.name)).length);
    });
  });

  it('predicts each patch alike alone and in a batch with instance norm, and reduces the loss it reports', () => {
    withLearner({ spec, optimizer: adam }, (learner) => {
      learner.loadWeights(initialWeights(spec, 4));
      const { input, target, patches, sizeVoxels } = randomBatch(7);
      const together = learner.predict(input, patches, sizeVoxels);
      const second = learner.predict(input.subarray(1024, 2048), 1, sizeVoxels);
      second.forEach((value, i) => expect(value).toBeCloseTo(together[1024 + i] as number, 5));
      const error = together.reduce((sum, value, i) => sum + (value - (target[i] as number)) ** 2, 0) / together.length;
      const first = learner.step({ patches, sizeVoxels, input, target });
      expect(first).toBeCloseTo(error, 6);
      for (let step = 0; step < 20; step++) learner.step({ patches, sizeVoxels, input, target });
      expect(learner.step({ patches, sizeVoxels, input, target })).toBeLessThan(first);
    });
  });

  it('takes several inputs and outputs, and batches in shared memory', () => {
    const wide: ModelSpec = { ...spec, outputs: 3, inputChannels: 2 };
    withLearner({ spec: wide, optimizer: sgd, loss: 'dice-bce' }, (learner) => {
      learner.loadWeights(initialWeights(wide, 5));
      const shared = new Float32Array(new SharedArrayBuffer(4 * 2 * 1024 * 2)).fill(0.25);
      const batch: PatchBatch = { patches: 2, sizeVoxels: [16, 8, 8], input: shared, target: new Float32Array(6 * 1024).fill(1) };
      const losses = [0, 1, 2, 3].map(() => learner.step(batch));
      expect(losses[3]).toBeLessThan(losses[0] as number);
    });
  });

  it('obeys the learning rate of the step', () => {
    withLearner({ spec, optimizer: { ...sgd, momentum: 0 } }, (learner) => {
      learner.loadWeights(initialWeights(spec, 6));
      learner.setLearningRate(0);
      learner.step(randomBatch(1));
      expect(learner.readWeights()).toEqual(initialWeights(spec, 6));
    });
  });

  it.each(['mse', 'dice'] as const)('gives the same gradients in passes of unequal size: %s', (loss) => {
    const inPasses = (voxelsPerPass: number): { loss: number; gradients: WeightSet } =>
      withLearner({ spec, loss, voxelsPerPass }, (learner) => {
        learner.loadWeights(initialWeights(spec, 9));
        return learner.lossAndGradients(randomBatch(0));
      });
    const [whole, parts] = [inPasses(3 * 1024), inPasses(2 * 1024)];
    expect(parts.loss).toBeCloseTo(whole.loss, 6);
    const difference = subtractWeights(parts.gradients, whole.gradients);
    expect(norm(difference) / norm(whole.gradients)).toBeLessThan(1e-4);
    expect(norm(whole.gradients)).toBeGreaterThan(0);
  });

  it('goes on soundly after a step that failed', () => {
    const failing = withLearner({ spec, optimizer: sgd }, (learner) => {
      learner.loadWeights(initialWeights(spec, 8));
      const run = jest.spyOn(runtime, 'run').mockImplementation((operation, ...rest) => {
        if (operation === 'Conv3DBackpropFilterV2' && run.mock.calls.length > 300) throw new Error('no memory');
        return Runtime.prototype.run.call(runtime, operation, ...rest);
      });
      expect(() => learner.step(randomBatch(0))).toThrow('no memory');
      run.mockRestore();
      return learner.step(randomBatch(1)) + learner.step(randomBatch(2));
    });
    const sound = withLearner({ spec, optimizer: sgd }, (learner) => {
      learner.loadWeights(initialWeights(spec, 8));
      return learner.step(randomBatch(1)) + learner.step(randomBatch(2));
    });
    expect(failing).toBe(sound);
  });

  it('refuses weights, states and patches that do not fit', () => {
    withLearner({ spec, optimizer: sgd }, (learner) => {
      expect(() => learner.loadWeights(initialWeights({ ...spec, width: 3 }, 1))).toThrow(/shape/);
      expect(() => learner.loadOptimizerState([])).toThrow(/lacks/);
      expect(() => learner.predict(new Float32Array(1000), 1, [10, 10, 10])).toThrow(/10 × 10 × 10/);
    });
  });
});
