import { Random } from '@consilium/shared/kernel';
import { initialWeights } from '@consilium/shared/models';
import { elementCount } from '@consilium/shared/weights';
import type { StepRecord } from '../engine/profile/operation-record.js';
import { StepRecorder } from '../engine/profile/step-recorder.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import { buildNetwork } from '../networks/build-network.js';
import { Learner } from './learner.js';
import type { PatchBatch } from './patch-batch.js';
import { type ProfiledTraining, WARM_UP_STEPS } from './profiled-training.js';

/**
 * Trains on random patches from random weights and records the steps; `onStep` is told of each, the warm-up included, and ends
 * it by an exception. The loss is the mean squared error. Everything made is freed again.
 */
export async function recordTraining(
  runtime: Runtime,
  training: ProfiledTraining,
  onStep: (done: number, total: number) => Promise<void> | void = () => undefined,
): Promise<StepRecord[]> {
  const { spec, optimizer, precision, memory, steps } = training;
  const recorder = new StepRecorder(runtime);
  const learner = Learner.create({ runtime: recorder.runtime, spec, optimizer, precision, memory });
  try {
    learner.loadWeights(initialWeights(spec, 1));
    const batch = randomBatch(training);
    const records: StepRecord[] = [];
    for (let step = 1; step <= WARM_UP_STEPS + steps; step++) {
      const record = recorder.record(() => learner.step(batch));
      if (step > WARM_UP_STEPS) records.push(record);
      await onStep(step, WARM_UP_STEPS + steps);
    }
    return records;
  } finally {
    learner.dispose();
    recorder.dispose();
  }
}

function randomBatch({ spec, patches, sizeVoxels }: ProfiledTraining): PatchBatch {
  const network = buildNetwork(spec);
  const random = new Random('profile');
  const fill = (...sides: readonly number[]): Float32Array => new Float32Array(elementCount(sides)).map(() => random.uniform24());
  const input = fill(patches, ...sizeVoxels, network.inputChannels);
  return { patches, sizeVoxels, input, target: fill(patches, ...(network.outputSides(sizeVoxels) ?? []), network.outputs) };
}
