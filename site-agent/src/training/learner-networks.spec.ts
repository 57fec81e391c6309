import { Random } from '@consilium/shared/kernel';
import { initialWeights, type ModelSpec, modelSpecSchema, statisticNames } from '@consilium/shared/models';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { openRuntime } from '../engine/open-runtime.js';
import { buildNetwork } from '../networks/build-network.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { PatchBatch } from './patch-batch.js';

const runtime = openRuntime({ threads: 2 });
const SGD: OptimizerPlan = { kind: 'sgd', learningRate: 0.05, momentum: 0.9 };
const SIZE = [16, 8, 24] as const;
const STAGES = [
  { features: 3, blocks: 1, stride: 1 },
  { features: 4, blocks: 2, stride: [2, 1, 2] },
];

const NETWORKS: Record<string, ModelSpec> = {
  'U-Net with running statistics': spec({ architecture: 'genesis-unet3d', width: 1, norm: 'batch', batchStatistics: 'training' }),
  'U-Net with group norm': spec({ architecture: 'genesis-unet3d', width: 2, norm: 'group', groups: 2 }),
  classifier: spec({ architecture: 'genesis-classifier', width: 1, norm: 'group', hiddenFeatures: 6, outputs: 2 }),
  'ResNet with decoder': spec({ architecture: 'medicalnet-resnet', width: 2 }),
  'ResNet with padded shortcuts': spec({
    architecture: 'medicalnet-resnet',
    depth: 18,
    width: 1,
    norm: 'instance',
    head: 'none',
  }),
  'ResNet classifier': spec({ architecture: 'medicalnet-resnet', width: 1, head: 'classification', inputChannels: 2 }),
  'residual U-Net': spec({ architecture: 'residual-unet3d', stages: STAGES, outputs: 2 }),
  'residual U-Net with running statistics': spec({ architecture: 'residual-unet3d', stages: STAGES, norm: 'batch' }),
};

function spec(fields: object): ModelSpec {
  return modelSpecSchema.parse(fields);
}

function batchFor(model: ModelSpec, seed: number): PatchBatch {
  const random = new Random(`learner-networks/${seed}`);
  const network = buildNetwork(model);
  const { inputChannels, outputs } = network;
  const draw = (shape: readonly number[]): Float32Array =>
    Float32Array.from({ length: elementCount(shape) }, () => random.uniform24());
  const patches = 3;
  return {
    patches,
    sizeVoxels: SIZE,
    input: draw([patches, ...SIZE, inputChannels]),
    target: draw([patches, ...(network.outputSides(SIZE) ?? []), outputs]),
  };
}

function withLearner<T>(model: ModelSpec, options: Partial<LearnerOptions>, use: (learner: Learner) => T): T {
  const before = runtime.liveTensors() - runtime.constantCount;
  const learner = Learner.create({ runtime, spec: model, optimizer: SGD, ...options });
  try {
    return use(learner);
  } finally {
    learner.dispose();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  }
}

/** Statistics are not loaded from an optimizer's state: they travel with the weights. */
function state(learner: Learner): { weights: WeightSet; optimizer: WeightSet } {
  return { weights: learner.readWeights(), optimizer: learner.readOptimizerState() };
}

describe.each(Object.entries(NETWORKS))('a learner of a %s', (_name, model) => {
  const start = initialWeights(model, 1);
  const batches = [0, 1, 2].map((seed) => batchFor(model, seed));

  it('learns, moves every parameter but the idle ones, and keeps no tensor', () => {
    withLearner(model, {}, (learner) => {
      learner.loadWeights(start);
      const [batch] = batches as [PatchBatch];
      const first = learner.step(batch);
      const live = learner.liveTensors();
      for (let step = 0; step < 10; step++) learner.step(batch);
      expect(learner.liveTensors()).toBe(live);
      expect(learner.step(batch)).toBeLessThan(first);
      const idle = buildNetwork(model).idleParameters;
      const still = learner.readWeights().filter(({ values }, i) => values.every((v, j) => v === start[i]?.values[j]));
      // Where a bias is taken away again in training only, it has no gradient but rounding errors.
      const unmoved = still.map(({ name }) => name).filter((name) => idle.has(name) || !name.endsWith('.bias'));
      expect(unmoved).toEqual(start.map(({ name }) => name).filter((name) => idle.has(name)));
    });
  });

  it('goes on to the bit after it was saved and loaded, running statistics included', () => {
    const straight = withLearner(model, {}, (learner) => {
      learner.loadWeights(start);
      for (const batch of batches) learner.step(batch);
      return state(learner);
    });
    const saved = withLearner(model, {}, (learner) => {
      learner.loadWeights(start);
      learner.step(batches[0] as PatchBatch);
      return state(learner);
    });
    withLearner(model, {}, (learner) => {
      learner.loadWeights(saved.weights);
      learner.loadOptimizerState(saved.optimizer);
      for (const batch of batches.slice(1)) learner.step(batch);
      expect(state(learner)).toEqual(straight);
    });
    const statistics = saved.weights.filter(({ name }) => statisticNames(model).has(name));
    expect(
      statistics.every(({ name, values }) => values.some((v, j) => v !== start.find((t) => t.name === name)?.values[j])),
    ).toBe(true);
  });

  it('answers in bfloat16 too, to nearly the same loss', () => {
    const lossOf = (precision: 'f32' | 'bf16'): number =>
      withLearner(model, { precision }, (learner) => {
        learner.loadWeights(start);
        return learner.step(batches[0] as PatchBatch);
      });
    const [exact, coarse] = [lossOf('f32'), lossOf('bf16')];
    expect(coarse).not.toBe(exact);
    expect(Math.abs(coarse / exact - 1)).toBeLessThan(2 ** -7);
  });
});
