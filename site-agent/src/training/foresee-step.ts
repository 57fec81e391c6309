import { type NativeKernels, PUBLIC_ONLY, Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { buildNetwork } from '../networks/build-network.js';
import { isUniversal } from '../networks/universal.js';
import { type ObjectiveChoice, targetChannelsOf } from '../objectives/create-objective.js';
import { atTheEnd } from '../objectives/universal-clock.js';
import { voxelsOf } from './batch-passes.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { PatchBatch, PatchSize } from './patch-batch.js';

/** What a step needs, found without computing anything. */
export interface StepForecast {
  /** The most bytes of tensors alive at once, weights and slots included: of the step or of a prediction beside it. */
  readonly peakBytes: number;
  /** Bytes that stay between two steps: weights and slots. */
  readonly steadyBytes: number;
  /** Operations that TensorFlow is asked for. */
  readonly operations: number;
  /** Multiplications with additions in convolutions and matrix products. */
  readonly multiplyAdds: number;
}

export interface ForeseenStep extends Omit<LearnerOptions, 'runtime'> {
  readonly patches: number;
  readonly sizeVoxels: PatchSize;
  /** Patches that are predicted at once between the steps (scores, validation); none by default. */
  readonly predictedPatches?: number | undefined;
  /** A copy of the weights is held beside them, for what a local rule adds to the gradients. */
  readonly withRule?: boolean | undefined;
  /** The private kernels that the machine has; none by default. */
  readonly native?: NativeKernels | undefined;
}

/** Goes through one training step on the shape-only backend: some milliseconds, and no memory but one batch. */
export function foreseeStep({
  patches,
  sizeVoxels,
  predictedPatches = 0,
  withRule,
  native,
  ...options
}: ForeseenStep): StepForecast {
  const shapes = new ShapeBinding();
  const objective = options.objective && atFullWeight(options.objective);
  const learner = Learner.create({ runtime: new Runtime(shapes, native ?? PUBLIC_ONLY), ...options, objective });
  if (withRule === true) learner.setGradientRule({ pull: 1, tensors: learner.readWeights() });
  const batch = emptyBatch(options, patches, sizeVoxels);
  learner.step(batch); // makes what stays: the optimizer's slots
  const steadyBytes = shapes.liveBytes;
  shapes.resetCounts();
  learner.step(batch);
  const operations = [...shapes.operations.values()].reduce((sum, count) => sum + count, 0);
  const { multiplyAdds } = shapes;
  if (predictedPatches > 0) look(learner, options, emptyBatch(options, predictedPatches, sizeVoxels));
  return { peakBytes: shapes.peakBytes, steadyBytes, operations, multiplyAdds };
}

/** As between the steps: with its heads, where the network has some. */
function look(learner: Learner, { spec }: Omit<LearnerOptions, 'runtime'>, batch: PatchBatch): void {
  if (isUniversal(buildNetwork(spec))) learner.observe(batch);
  else learner.predict(batch.input, batch.patches, batch.sizeVoxels);
}

/** The most that a step of this objective comes to. */
function atFullWeight(objective: ObjectiveChoice): ObjectiveChoice {
  return objective.kind === 'universal-model' ? { ...objective, clock: atTheEnd(objective.clock) } : objective;
}

function emptyBatch(
  { spec, loss = 'mse', objective = { kind: 'answer', loss } }: Omit<LearnerOptions, 'runtime'>,
  patches: number,
  sizeVoxels: PatchSize,
): PatchBatch {
  const network = buildNetwork(spec);
  const input = new Float32Array(patches * voxelsOf(sizeVoxels) * network.inputChannels);
  const answers = network.outputSides(sizeVoxels)?.reduce((product, side) => product * side, 1) ?? 1;
  const channels = targetChannelsOf(objective) ?? network.outputs;
  const classes = new Array<number>(patches).fill(0);
  const labels = { modality: classes, scale: classes };
  return { patches, sizeVoxels, input, target: new Float32Array(patches * answers * channels), labels };
}
