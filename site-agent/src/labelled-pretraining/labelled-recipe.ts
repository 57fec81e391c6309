/**
 * Supervised pretraining over several labelled collections (Chen et al., "Med3D", arXiv 1904.00625): the recipe as a human
 * writes it. Optimiser, rate and balance of the published training are unknown; the defaults are ours (specification B4).
 */
import { z } from 'zod';
import { medicalnetSpecSchema } from '@consilium/shared/models';
import { nameField, patchPlanSchema, positiveInteger, scheduleSchema } from '@consilium/shared/wire';
import { finetuneTrainingSchema, type SegmentationTask } from '../finetuning/tasks/segmentation-task.js';
import { SCRATCH } from '../finetuning/tasks/task-file.js';

const rate = z.number().positive();
const decay = z.number().min(0);

const optimizerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sgd'),
    learningRate: rate.default(1e-2),
    momentum: z.number().min(0).max(1).default(0.9),
    weightDecay: decay.default(1e-3),
  }),
  z.strictObject({
    kind: z.literal('adam'),
    learningRate: rate.default(1e-3),
    beta1: z.number().min(0).max(0.999_999).default(0.9),
    beta2: z.number().min(0).max(0.999_999).default(0.999),
    epsilon: rate.default(1e-8),
    weightDecay: decay.default(0),
  }),
]);

const BALANCES = ['square-root', 'equal', 'cases'] as const;
/** How often a collection has its turn: by the root of its number of cases, all alike, or by the number itself. */
export type Balance = (typeof BALANCES)[number];

const trainingSchema = z.strictObject({
  steps: positiveInteger.max(10_000_000).default(2000),
  batchSize: positiveInteger.max(256).default(4).describe('patches of a step, all of one collection'),
  balance: z
    .enum(BALANCES)
    .default('square-root')
    .describe(
      "whose turn it is, drawn by the root of each collection's training cases, equally often, or by the cases themselves",
    ),
  optimizer: optimizerSchema.prefault({ kind: 'sgd' }),
  schedule: scheduleSchema.optional().describe('of the learning rate; when left out, × 0.99 after each pass over all cases'),
  validateEverySteps: positiveInteger.default(100),
  checkpointEverySteps: positiveInteger.default(50),
  foregroundShare: finetuneTrainingSchema.shape.foregroundShare,
  augmentation: finetuneTrainingSchema.shape.augmentation,
  seed: z.int().min(0).default(1),
});
export type LabelledTraining = z.infer<typeof trainingSchema>;

/** Paths are relative to the recipe. */
export const labelledRecipeSchema = z.strictObject({
  name: nameField,
  collections: z
    .array(
      z.strictObject({
        task: z.string().min(1).describe('a fine-tuning task file: its classes, images and train and validation cases count'),
        name: nameField.optional().describe("of the collection's branch; the task's name when left out"),
      }),
    )
    .min(1)
    .max(64),
  start: z
    .string()
    .min(1)
    .default(SCRATCH)
    .describe('"scratch", or a model with an encoder of the same network: a file, a folder, a pin or CAMPAIGN[@VERSION]'),
  model: medicalnetSpecSchema
    .omit({ architecture: true, inputChannels: true, head: true, outputs: true, branches: true })
    .prefault({})
    .describe('of the encoder; a start model brings its own'),
  spacing: z
    .enum(['median', 'own'])
    .default('median')
    .describe(
      "of a collection whose task has no spacingMm: the median of its training scans' along each axis, or each scan's own",
    ),
  patchSizeVoxels: patchPlanSchema.shape.sizeVoxels,
  training: trainingSchema.prefault({}),
});
type RecipeFile = z.infer<typeof labelledRecipeSchema>;

/** A labelled collection: what is read of its task. */
export type LabelledCollection = Pick<
  SegmentationTask,
  'name' | 'classes' | 'cases' | 'modality' | 'spacingMm' | 'ctWindowHu' | 'percentiles'
>;

/** A checked recipe with absolute paths; plain data, so that it can be sent to a trainer process. */
export interface LabelledRecipe extends Omit<RecipeFile, 'collections'> {
  readonly collections: readonly LabelledCollection[];
}

/** Of the network's branch: one for each class, and the background. */
export function branchOutputs({ classes }: Pick<LabelledCollection, 'classes'>): number {
  return classes.length + 1;
}
