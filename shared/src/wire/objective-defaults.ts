import type { ObjectivePlan } from './objective-plan.js';
import { type OptimizerPlan, optimizerPlanSchema } from './training-plan.js';

/** What an objective is trained with where a plan says nothing about it. */
export interface TrainingDefaults {
  readonly optimizer: OptimizerPlan;
  readonly batchSize: number;
}

/**
 * The restoration of a universal model weighs 100 beside its heads: the rates of SGD that suit Models Genesis drive its sigmoid to
 * where nothing moves any more. Hence Adam, as TransVW has it (Haghighi et al., TMI 2021), and 12 patches: two modalities at three
 * scales, twice.
 */
const UNIVERSAL: TrainingDefaults = {
  optimizer: optimizerPlanSchema.parse({ kind: 'adam', learningRate: 0.001 }),
  batchSize: 12,
};

/** The plan's own fields, then those of its objective; `genesis` holds what Models Genesis takes. */
export function withTrainingDefaults<Training extends Partial<TrainingDefaults>>(
  training: Training,
  { kind }: ObjectivePlan,
  genesis: TrainingDefaults,
): Omit<Training, keyof TrainingDefaults> & TrainingDefaults {
  const defaults = kind === 'universal-model' ? UNIVERSAL : genesis;
  return {
    ...training,
    optimizer: training.optimizer ?? defaults.optimizer,
    batchSize: training.batchSize ?? defaults.batchSize,
  };
}
