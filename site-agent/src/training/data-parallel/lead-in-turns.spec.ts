import type { WeightSet } from '@consilium/shared/weights';
import { connectChannels } from '../../../../test/fixtures/connected-channels.js';
import {
  UNIVERSAL_SIZE,
  UNIVERSAL_SPEC,
  universalBatch,
  universalChoice,
  universalWeights,
} from '../../../../test/fixtures/made-universal.js';
import { openRuntime } from '../../engine/open-runtime.js';
import { Learner } from '../learner.js';
import type { BatchSource, PatchBatch } from '../patch-batch.js';
import { type BatchShare, shareBatch } from './batch-share.js';
import { followLeader } from './follow-leader.js';
import { StepLeader } from './lead-steps.js';

const runtime = openRuntime({ threads: 1 });
const PATCHES = 4;
const STEPS = 3;
/** Not Adam, whose steps are as long as the rate wherever a gradient is: the rounding of a nearly zero one would show. */
const SGD = { kind: 'sgd', learningRate: 0.01, momentum: 0.9, nesterov: false, weightDecay: 0 } as const;

function shareOf({ input, target, labels, ...batch }: PatchBatch, { first, count }: BatchShare): PatchBatch {
  const voxels = UNIVERSAL_SIZE[0] * UNIVERSAL_SIZE[1] * UNIVERSAL_SIZE[2];
  const part = (values: Float32Array): Float32Array => values.subarray(first * voxels, (first + count) * voxels);
  const some = (values: readonly number[] = []): number[] => values.slice(first, first + count);
  return {
    ...batch,
    patches: count,
    input: part(input),
    target: part(target),
    labels: { modality: some(labels?.modality), scale: some(labels?.scale) },
  };
}

function sourceOf(share: BatchShare): BatchSource {
  return { batch: async (step) => shareOf(universalBatch(`${step}`, PATCHES), share), close: async () => undefined };
}

/** One patch a pass, so that shares and whole batches add up in the same order. */
function newLearner(mode: string, seed: number): Learner {
  const learner = Learner.create({
    runtime,
    spec: UNIVERSAL_SPEC,
    optimizer: SGD,
    objective: universalChoice({ mode }),
    voxelsPerPass: 1,
  });
  learner.loadWeights(universalWeights(seed));
  return learner;
}

async function trainOnTwo(mode: string): Promise<WeightSet[]> {
  const [mine, theirs] = shareBatch(PATCHES, 2) as [BatchShare, BatchShare];
  const learners = [newLearner(mode, 1), newLearner(mode, 9)] as const;
  const [near, far] = await connectChannels();
  const openSource = () => sourceOf(theirs);
  const following = followLeader({ learner: learners[1], openSource, ofPatches: PATCHES, leader: far }).catch(
    (error: unknown) => error,
  );
  const followers = { channels: [near], lost: new Promise<never>(() => undefined) };
  const leader = new StepLeader({ learner: learners[0], source: sourceOf(mine), ofPatches: PATCHES, followers });
  await leader.align(0);
  for (let step = 0; step < STEPS; step++) {
    leader.setLearningRate(0.01);
    await leader.step(await leader.batch(step));
  }
  await leader.confirm();
  const weights = learners.map((learner) => learner.readWeights());
  near.end();
  await following;
  for (const learner of learners) learner.dispose();
  return weights;
}

function trainAlone(mode: string): WeightSet {
  const learner = newLearner(mode, 1);
  for (let step = 0; step < STEPS; step++) learner.step(universalBatch(`${step}`, PATCHES));
  const weights = learner.readWeights();
  learner.dispose();
  return weights;
}

function largestDifference(a: WeightSet, b: WeightSet): number {
  return Math.max(
    ...a.flatMap(({ values }, tensor) => [...values].map((value, i) => Math.abs(value - (b[tensor]?.values[i] ?? NaN)))),
  );
}

describe('two devices that train a model with heads', () => {
  it.each(['reversal', 'alternating', 'frozen'])('come to one model, that of a single device: %s', async (mode) => {
    const [leader, follower] = (await trainOnTwo(mode)) as [WeightSet, WeightSet];
    expect(follower).toEqual(leader);
    const alone = trainAlone(mode);
    expect(largestDifference(leader, universalWeights(1))).toBeGreaterThan(1e-3);
    expect(largestDifference(leader, alone)).toBeLessThan(1e-5);
  });
});
