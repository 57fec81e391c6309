import type { ModelSpec } from '@consilium/shared/models';
import type { OptimizerPlan } from '@consilium/shared/wire';
import type { MemoryUse, Precision } from '../engine/tape.js';
import type { PatchSize } from './patch-batch.js';

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
