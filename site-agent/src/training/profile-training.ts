import { Random } from '@consilium/shared/kernel';
import { initialWeights, type ModelSpec } from '@consilium/shared/models';
import { elementCount } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import type { StepRecord } from '../engine/profile/operation-record.js';
import { StepRecorder } from '../engine/profile/step-recorder.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { MemoryUse, Precision } from '../engine/tape.js';
import { buildNetwork } from '../networks/build-network.js';
import { Learner } from './learner.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

/** The training that a profile looks at. */
export interface ProfiledTraining {
  readonly spec: ModelSpec;
  readonly patches: number;
  readonly sizeVoxels: PatchSize;
  readonly optimizer: OptimizerPlan;
  readonly precision: Precision;
  /** The learner's own choice when left out. */
  readonly memory?: MemoryUse | undefined;
  /** Steps that are recorded, after {@link WARM_UP_STEPS}. */
  readonly steps: number;
}

/** The first steps also fill caches: TensorFlow's kernels and JavaScript's compiler. */
export const WARM_UP_STEPS = 2;

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
  const { inputChannels, outputs, outputSides } = buildNetwork(spec);
  const random = new Random('profile');
  const fill = (...sides: readonly number[]): Float32Array => new Float32Array(elementCount(sides)).map(() => random.uniform24());
  const input = fill(patches, ...sizeVoxels, inputChannels);
  return { patches, sizeVoxels, input, target: fill(patches, ...(outputSides(sizeVoxels) ?? []), outputs) };
}
