import { type NativeKernels, PUBLIC_ONLY, Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { PatchSize } from './patch-batch.js';

/** What a step needs, found without computing anything. */
export interface StepForecast {
  /** The most bytes of tensors alive at once, weights and the optimizer's slots included. */
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
  /** The private kernels that the machine has; none by default. */
  readonly native?: NativeKernels | undefined;
}

/** Goes through one training step on the shape-only backend: some milliseconds, and no memory but one batch. */
export function foreseeStep({ patches, sizeVoxels, native, ...options }: ForeseenStep): StepForecast {
  const shapes = new ShapeBinding();
  const learner = Learner.create({ runtime: new Runtime(shapes, native ?? PUBLIC_ONLY), ...options });
  const steadyBytes = shapes.liveBytes;
  shapes.resetCounts();
  const { spec } = options;
  const voxels = patches * sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2];
  const input = new Float32Array(voxels * spec.inputChannels);
  const target = new Float32Array(voxels * spec.outputs);
  learner.step({ patches, sizeVoxels, input, target });
  const operations = [...shapes.operations.values()].reduce((sum, count) => sum + count, 0);
  return { peakBytes: shapes.peakBytes, steadyBytes, operations, multiplyAdds: shapes.multiplyAdds };
}
