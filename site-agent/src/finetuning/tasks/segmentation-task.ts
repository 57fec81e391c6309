import { z } from 'zod';
import { voxelModelChoiceSchema } from '@consilium/shared/models';
import { fraction, nameField, patchPlanSchema } from '@consilium/shared/wire';
import { caseSourceFields, checkCaseSource, type FoldsPlan } from './case-entry.js';
import { refuseSharedLabels } from './distinct-classes.js';
import { type CaseFiles, type CasesOf, type StartPlan, startSchema } from './finetune-case.js';
import { trainingFields } from './finetune-training.js';
import { type ImagePlan, imagePlanSchema } from './image-plan.js';

/** One class is one sigmoid output; `labels` are the label-map values that count as it. Masks carry the first of them. */
export const segmentationClassSchema = z.strictObject({
  name: nameField,
  labels: z.array(z.int().min(1).max(255)).min(1),
});
export type SegmentationClass = z.infer<typeof segmentationClassSchema>;

/** Defaults: Models Genesis' fine-tuning schedule (spec A7) and the augmentation chosen for target tasks (A12). */
export const finetuneTrainingSchema = z.strictObject({
  ...trainingFields,
  loss: z
    .enum(['dice', 'dice-bce'])
    .default('dice-bce')
    .describe('dice is what Models Genesis used; with cross-entropy a network leaves "background everywhere" much sooner'),
  watch: z.enum(['loss', 'dice']).default('loss').describe('which validation result keeps weights, cuts the rate and stops'),
  foregroundShare: fraction.default(0.5).describe('share of patches that are centred on a labelled voxel'),
  balance: z
    .enum(['cases', 'classes'])
    .default('cases')
    .describe('cases: each case as often, and each of its classes; classes: each class as often, whichever cases have it'),
});
export type FinetuneTraining = z.infer<typeof finetuneTrainingSchema>;

/** The task file as a human writes it; paths are relative to it. */
export const segmentationFileSchema = z
  .strictObject({
    name: nameField,
    kind: z.literal('segmentation'),
    ...imagePlanSchema.shape,
    classes: z.array(segmentationClassSchema).min(1).max(128),
    ...caseSourceFields,
    start: startSchema,
    model: voxelModelChoiceSchema
      .prefault({ architecture: 'genesis-unet3d' })
      .describe('used from scratch; a start model brings its own'),
    patchSizeVoxels: patchPlanSchema.shape.sizeVoxels,
    training: finetuneTrainingSchema.prefault({}),
  })
  .superRefine((task, context) => {
    checkCaseSource(task, context);
    refuseSharedLabels(task.classes, context);
  });
export type SegmentationFile = z.infer<typeof segmentationFileSchema>;

/** A checked task with absolute paths; plain data, so that it can be sent to a trainer process. */
export interface SegmentationTask extends ImagePlan {
  readonly name: string;
  readonly kind: 'segmentation';
  readonly classes: readonly SegmentationClass[];
  readonly cases: CasesOf<SegmentationCase>;
  /** Where stated, all cases lie in `cases.train` until a fold is chosen. */
  readonly folds?: FoldsPlan | undefined;
  readonly start: StartPlan;
  readonly model: SegmentationFile['model'];
  readonly patchSizeVoxels: readonly [number, number, number];
  readonly training: FinetuneTraining;
}

/** Absolute paths of one labelled case. */
export interface SegmentationCase extends CaseFiles {
  readonly label: string;
}
