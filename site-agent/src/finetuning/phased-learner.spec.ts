import { backboneOf, initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { Random } from '@consilium/shared/kernel';
import { openRuntime } from '../engine/open-runtime.js';
import { Learner } from '../training/learner.js';
import type { PatchBatch } from '../training/patch-batch.js';
import { classifierTrainingSchema } from './tasks/classification-task.js';
import { optimizerOf } from './parameter-treatment.js';
import { PhasedLearner } from './phased-learner.js';
import { transferWeights } from './transfer-weights.js';

const runtime = openRuntime({ threads: 1 });
const pretrained = backboneOf(
  modelSpecSchema.parse({
    architecture: 'genesis-unet3d',
    width: 1,
    norm: 'batch',
    batchStatistics: 'training',
  }),
);
const spec = backboneOf(
  modelSpecSchema.parse({
    architecture: 'genesis-classifier',
    width: 1,
    norm: 'batch',
    batchStatistics: 'training',
    hiddenFeatures: 4,
  }),
);

function batch(step: number): PatchBatch {
  const random = new Random(`phased/${step}`);
  const input = Float32Array.from({ length: 2 * 512 }, () => random.uniform24());
  return { patches: 2, sizeVoxels: [8, 8, 8], input, target: Float32Array.of(0, 1) };
}

function open(training: object): PhasedLearner {
  const plan = classifierTrainingSchema.parse({ learningRate: 0.01, ...training });
  const { weights, loaded } = transferWeights(spec, initialWeights(pretrained, 1), 2);
  const treated = { spec, loaded, training: plan };
  return new PhasedLearner(treated, weights, (frozen) =>
    Learner.create({ runtime, spec, loss: 'cross-entropy', optimizer: optimizerOf(treated, frozen) }),
  );
}

function train(learner: PhasedLearner, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    learner.enter(step);
    learner.setLearningRate(0.01);
    learner.step(batch(step));
  }
}

/** Names of tensors that differ by a bit. */
function changed(before: WeightSet, after: WeightSet): string[] {
  const bits = ({ values }: WeightSet[number]) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return before.flatMap((tensor, index) => {
    const other = after[index];
    return other !== undefined && bits(tensor).equals(bits(other)) ? [] : [tensor.name];
  });
}

describe('phased learner', () => {
  it('changes no bit of what rests, running statistics included, and trains the rest', () => {
    const learner = open({ mode: 'linear-probe' });
    learner.begin(undefined);
    const before = learner.readWeights();
    train(learner, 0, 3);
    const moved = changed(before, learner.readWeights());
    expect(moved.length).toBeGreaterThan(2);
    expect(moved.every((name) => name.startsWith('head.'))).toBe(true);
    learner.dispose();
  });

  it('trains everything after the frozen steps', () => {
    const learner = open({ mode: { kind: 'frozen-then-unfrozen', frozenSteps: 2 } });
    learner.begin(undefined);
    const before = learner.readWeights();
    train(learner, 0, 2);
    expect(changed(before, learner.readWeights()).every((name) => name.startsWith('head.'))).toBe(true);
    train(learner, 2, 4);
    const moved = changed(before, learner.readWeights());
    expect(moved).toContain('e1.0.weight');
    expect(moved).toContain('e4.4.running_mean');
    learner.dispose();
  });

  it.each([1, 2, 3])('goes on from a checkpoint after step %i to the same bits', (stop) => {
    const mode = { kind: 'frozen-then-unfrozen', frozenSteps: 2 };
    const calm = open({ mode, freshFirst: 3 });
    calm.begin(undefined);
    train(calm, 0, 5);
    const first = open({ mode, freshFirst: 3 });
    first.begin(undefined);
    train(first, 0, stop);
    const state = { step: stop, lossSum: 0, lastLoss: 0, trainingMs: 0, waitedMs: 0 };
    const checkpoint = first.checkpoint(state);
    first.dispose();
    const second = open({ mode, freshFirst: 3 });
    second.begin(checkpoint);
    train(second, stop, 5);
    expect(changed(calm.readWeights(), second.readWeights())).toEqual([]);
    calm.dispose();
    second.dispose();
  });

  it('leaves loaded layers alone in the first step of a ramp and less than later', () => {
    const learner = open({ freshFirst: 2 });
    learner.begin(undefined);
    const before = learner.readWeights();
    train(learner, 0, 1);
    expect(changed(before, learner.readWeights()).filter((name) => name.endsWith('weight') && name.startsWith('e'))).toEqual([]);
    train(learner, 1, 2);
    expect(changed(before, learner.readWeights())).toContain('e1.0.weight');
    learner.dispose();
  });

  it('leaves nothing behind', () => {
    const held = runtime.liveTensors();
    const learner = open({ mode: { kind: 'frozen-then-unfrozen', frozenSteps: 1 } });
    learner.begin(undefined);
    train(learner, 0, 3);
    learner.dispose();
    expect(runtime.liveTensors()).toBe(held);
  });
});
