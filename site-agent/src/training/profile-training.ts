import { invariant, Random } from '@consilium/shared/kernel';
import { initialWeights, manifestOf, type ModelSpec } from '@consilium/shared/models';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { ParameterSet } from '../engine/parameters.js';
import type { StepRecord } from '../engine/profile/operation-record.js';
import { StepRecorder } from '../engine/profile/step-recorder.js';
import { Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { elementsOf } from '../engine/shapes/operation-call.js';
import { type MemoryUse, type Precision, Tape } from '../engine/tape.js';
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
  const random = new Random('profile');
  const fill = (length: number): Float32Array => new Float32Array(length).map(() => random.uniform24());
  const input = fill(elementsOf([patches, ...sizeVoxels, spec.inputChannels]));
  return { patches, sizeVoxels, input, target: fill(elementsOf(answerShape(spec, patches, sizeVoxels))) };
}

/** Shape of a network's answer, found without computing it: some networks answer at a coarser grid, or once for a patch. */
function answerShape(spec: ModelSpec, patches: number, sizeVoxels: PatchSize): readonly number[] {
  const runtime = new Runtime(new ShapeBinding());
  const network = buildNetwork(spec);
  const manifest = manifestOf(spec);
  const parameters = new ParameterSet(runtime, manifest, network.idleParameters);
  parameters.load(manifest.tensors.map(({ name, shape }) => ({ name, shape, values: new Float32Array(elementsOf(shape)) })));
  const shape = [patches, ...sizeVoxels, spec.inputChannels];
  const tape = new Tape(runtime, false);
  const answer = network.forward(tape, parameters, tape.input(runtime.tensor(new Float32Array(elementsOf(shape)), shape)));
  invariant(answer.shape.length > 0, 'a network answers with a tensor');
  return answer.shape;
}
