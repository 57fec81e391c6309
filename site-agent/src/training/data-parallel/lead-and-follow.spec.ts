import { initialWeights, type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { openRuntime } from '../../engine/open-runtime.js';
import { connectChannels } from '../../../../test/fixtures/connected-channels.js';
import { Learner } from '../learner.js';
import type { GradientRule } from '../local-rules/gradient-rule.js';
import type { BatchSource, PatchBatch, PatchSize } from '../patch-batch.js';
import { type BatchShare, shareBatch } from './batch-share.js';
import { followLeader } from './follow-leader.js';
import type { FrameChannel } from './frame-channel.js';
import { StepLeader } from './lead-steps.js';

const runtime = openRuntime({ threads: 1 });
const SIZE: PatchSize = [16, 8, 8];
const VOXELS = 16 * 8 * 8;
const SGD: OptimizerPlan = { kind: 'sgd', learningRate: 0.05, momentum: 0.9 };
const ADAM: OptimizerPlan = { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

function spec(norm: 'instance' | 'batch' = 'instance'): ModelSpec {
  return modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm });
}

/** Examples that depend on step and index alone. */
function sourceOf(share: BatchShare, batchSize: number): BatchSource {
  const value = (step: number, i: number): number => 0.5 + 0.5 * Math.sin(1 + step * 31 + i * 0.37);
  return {
    batch: async (step): Promise<PatchBatch> => {
      const first = (step * batchSize + share.first) * VOXELS;
      const input = Float32Array.from({ length: share.count * VOXELS }, (_, i) => value(step, first + i));
      return { patches: share.count, sizeVoxels: SIZE, input, target: input.map((x) => 1 - x) };
    },
    close: async () => undefined,
  };
}

function newLearner(optimizer: OptimizerPlan, norm?: 'instance' | 'batch'): Learner {
  // One example a pass, as a device with little room would: shares and whole batches then add up in the same order.
  const learner = Learner.create({ runtime, spec: spec(norm), optimizer, voxelsPerPass: VOXELS });
  learner.loadWeights(initialWeights(spec(norm), 3));
  return learner;
}

/** Trains some steps on as many "devices" of this process; their weights, the leader's first, and the losses. */
async function trainTogether(
  devices: number,
  batchSize: number,
  steps: number,
  optimizer: OptimizerPlan,
  norm?: 'instance' | 'batch',
  rule?: GradientRule,
) {
  const shares = shareBatch(batchSize, devices);
  const learners = shares.map(() => newLearner(optimizer, norm));
  learners[0]?.setGradientRule(rule);
  const [leaderShare, ...others] = shares;
  const channels: FrameChannel[] = [];
  const following: Promise<unknown>[] = [];
  for (const [i, share] of others.entries()) {
    const [near, far] = await connectChannels();
    channels.push(near);
    const learner = learners[i + 1] as Learner;
    learner.loadWeights(initialWeights(spec(norm), 99)); // the leader's state must replace these
    const openSource = () => sourceOf(share, batchSize);
    following.push(followLeader({ learner, openSource, ofPatches: batchSize, leader: far }).catch((error: unknown) => error));
  }
  const followers = { channels, lost: new Promise<never>(() => undefined) };
  const source = sourceOf(leaderShare as BatchShare, batchSize);
  const leader = new StepLeader({ learner: learners[0] as Learner, source, ofPatches: batchSize, followers });
  await leader.align(0);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    leader.setLearningRate(0.05 / (step + 1));
    losses.push(await leader.step(await leader.batch(step)));
  }
  await leader.confirm();
  const weights = learners.map((learner) => learner.readWeights());
  for (const channel of channels) channel.end();
  expect(await Promise.all(following)).toEqual(others.map(() => expect.objectContaining({ code: 'TRANSFER_BROKEN' }) as unknown));
  for (const learner of learners) learner.dispose();
  return { weights, losses };
}

async function trainAlone(batchSize: number, steps: number, optimizer: OptimizerPlan, rule?: GradientRule) {
  const learner = newLearner(optimizer);
  learner.setGradientRule(rule);
  const source = sourceOf({ first: 0, count: batchSize }, batchSize);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    learner.setLearningRate(0.05 / (step + 1));
    losses.push(learner.step(await source.batch(step)));
  }
  const weights = learner.readWeights();
  learner.dispose();
  return { weights, losses };
}

function flat(weights: WeightSet): number[] {
  return weights.flatMap(({ values }) => [...values]);
}

/** Of the change since the start, so that a step that does nothing is no success. */
function relativeError(actual: WeightSet, expected: WeightSet): number {
  const start = flat(initialWeights(spec(), 3));
  const [a, b] = [flat(actual), flat(expected)];
  const norm = (values: number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  return norm(a.map((x, i) => x - (b[i] as number))) / norm(b.map((x, i) => x - (start[i] as number)));
}

describe('several devices that train one model', () => {
  const before = runtime.liveTensors() - runtime.constantCount;
  afterEach(() => expect(runtime.liveTensors() - runtime.constantCount).toBe(before));

  it.each([
    ['2 devices, SGD', 2, 4, SGD],
    ['3 devices with uneven shares, Adam', 3, 4, ADAM],
  ])('make the step of the whole batch: %s', async (_what, devices, batchSize, optimizer) => {
    const together = await trainTogether(devices, batchSize, 1, optimizer);
    const alone = await trainAlone(batchSize, 1, optimizer);
    expect(relativeError(together.weights[0] ?? [], alone.weights)).toBeLessThan(1e-6);
    expect(together.losses[0]).toBeCloseTo(alone.losses[0] as number, 6);
  });

  it('hold the same bits after 20 steps, and again the same bits when it is all repeated', async () => {
    const once = await trainTogether(2, 3, 20, SGD);
    const again = await trainTogether(2, 3, 20, SGD);
    expect(again).toEqual(once);
    expect(once.weights[1]).toEqual(once.weights[0]);
    expect(once.losses.at(-1)).toBeLessThan(once.losses[0] as number);
  });

  it.each<[string, GradientRule]>([
    ['a pull', { pull: 0.5, tensors: initialWeights(spec(), 5) }],
    ['a correction', { tensors: initialWeights(spec(), 6) }],
  ])('add a local rule’s part once, to the sum of their gradients: %s', async (_what, rule) => {
    const together = await trainTogether(3, 4, 2, SGD, 'instance', rule);
    const alone = await trainAlone(4, 2, SGD, rule);
    const without = await trainAlone(4, 2, SGD);
    expect(relativeError(together.weights[0] ?? [], alone.weights)).toBeLessThan(1e-6);
    expect(relativeError(without.weights, alone.weights)).toBeGreaterThan(0.1);
    for (const weights of together.weights) expect(weights).toEqual(together.weights[0]);
  });

  it('hold the same bits with batch norm, although each takes the statistics of its own share', async () => {
    const { weights } = await trainTogether(2, 4, 3, ADAM, 'batch');
    expect(weights[1]).toEqual(weights[0]);
  });

  it('notice when one of them has gone astray', async () => {
    const [near, far] = await connectChannels();
    const [learner, other] = [newLearner(SGD), newLearner(SGD)];
    const openSource = () => sourceOf({ first: 1, count: 1 }, 2);
    const following = followLeader({ learner: other, openSource, ofPatches: 2, leader: far }).catch(() => undefined);
    const followers = { channels: [near], lost: new Promise<never>(() => undefined) };
    const leader = new StepLeader({ learner, source: sourceOf({ first: 0, count: 1 }, 2), ofPatches: 2, followers });
    await leader.align(0);
    await leader.step(await leader.batch(0));
    await leader.confirm();
    other.step(await openSource().batch(5)); // a step of its own
    await expect(leader.confirm()).rejects.toMatchObject({ code: 'INVARIANT' });
    near.end();
    await following;
    for (const each of [learner, other]) each.dispose();
  });

  it('explain a broken connection by what became of the other one', async () => {
    const [near, far] = await connectChannels();
    const learner = newLearner(SGD);
    const lost = new Promise<never>((_resolve, reject) => setTimeout(() => reject(new Error('GPU 1 fell out')), 50));
    lost.catch(() => undefined);
    const followers = { channels: [near], lost };
    const leader = new StepLeader({ learner, source: sourceOf({ first: 0, count: 1 }, 2), ofPatches: 2, followers });
    far.end();
    await expect(leader.align(0)).rejects.toThrow('GPU 1 fell out');
    learner.dispose();
  });
});
