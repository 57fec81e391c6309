import { z } from 'zod';
import { voxelModelChoiceSchema } from '@consilium/shared/models';
import {
  fraction,
  nameField,
  patchPlanSchema,
  positiveInteger,
  preparationPlanSchema,
  scheduleSchema,
} from '@consilium/shared/wire';

const index = z.int().min(0);

const caseSchema = z.strictObject({
  image: z.string().min(1),
  label: z.string().min(1),
  series: index.optional().describe('which volume of a folder with several, as "convert" lists them'),
  frame: index.optional().describe('which frame of a scan with several (time points, echoes); the first when left out'),
  name: nameField.optional().describe("how reports call the case; the image file's name by default"),
});

/** Images and label maps of a task; train must not be empty, the others may. */
export const caseListsSchema = z.strictObject({
  train: z.array(caseSchema).min(1, 'at least one training case is needed'),
  validation: z.array(caseSchema).default([]),
  test: z.array(caseSchema).default([]),
});
export type CaseLists = z.infer<typeof caseListsSchema>;

/** One class is one sigmoid output; `labels` are the label-map values that count as it. Masks carry the first of them. */
export const segmentationClassSchema = z.strictObject({
  name: nameField,
  labels: z.array(z.int().min(1).max(255)).min(1),
});
export type SegmentationClass = z.infer<typeof segmentationClassSchema>;

const plateauSchema = z.strictObject({
  factor: z.number().gt(0).lt(1).default(0.5),
  patience: positiveInteger.default(6).describe('validations without a better loss before the rate is cut'),
  minimumDelta: z.number().min(0).default(1e-4),
  floor: z.number().min(0).default(1e-6),
});

export const AUGMENTATION_LEVELS = ['none', 'light', 'full'] as const;

/** One word, or the word with details. */
const augmentationSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { level: given } : given),
  z.strictObject({
    level: z
      .enum(AUGMENTATION_LEVELS)
      .optional()
      .describe('none; light when left out: flips and brightness; full: rotation, scale, elastic, noise, blur, contrast, gamma'),
    flipAxes: z
      .array(z.enum(['x', 'y', 'z']))
      .default(['x', 'y', 'z'])
      .describe('each is flipped with probability 0.5'),
    intensityShift: fraction.default(0.1).describe('of light: intensities are multiplied by a factor within 1 ± this'),
  }),
);

/** Defaults: Models Genesis' fine-tuning schedule (spec A7) and the augmentation chosen for target tasks (A12). */
export const finetuneTrainingSchema = z.strictObject({
  steps: positiveInteger.max(1_000_000).default(1000),
  batchSize: positiveInteger.max(256).default(4),
  learningRate: z.number().positive().default(1e-3).describe('of Adam; one rate for all layers, nothing is frozen'),
  loss: z.enum(['dice', 'dice-bce']).default('dice'),
  plateau: plateauSchema.prefault({}),
  schedule: scheduleSchema.optional().describe('on top of the plateau; constant when left out'),
  earlyStopPatience: positiveInteger.default(30).describe('validations without a better loss before training ends'),
  validateEverySteps: positiveInteger.default(50),
  checkpointEverySteps: positiveInteger.default(50),
  foregroundShare: fraction.default(0.5).describe('share of patches that are centred on a labelled voxel'),
  augmentation: augmentationSchema.prefault({}),
  seed: z.int().min(0).default(1),
});
export type FinetuneTraining = z.infer<typeof finetuneTrainingSchema>;

export const modalityField = z.enum(['CT', 'MR']);

const preparation = preparationPlanSchema.shape;

/** One number stands for all three. */
const spacingSchema = z.preprocess(
  (given) => (typeof given === 'number' ? [given, given, given] : given),
  preparation.spacingMm.unwrap(),
);

/** How images become what the network sees. A model that was trained on a task keeps these fields. */
export const imagePlanSchema = z.strictObject({
  modality: modalityField.optional().describe("of all images; from each one's header or values when left out"),
  spacingMm: spacingSchema
    .optional()
    .describe("images are resampled to this spacing and answers back; each scan's own grid when left out"),
  ctWindowHu: preparation.ctWindowHu.unwrap().optional().describe('Hounsfield units that become 0 and 1'),
  percentiles: preparation.percentiles.unwrap().optional().describe('of the non-zero voxels of MR, which become 0 and 1'),
});
export type ImagePlan = z.infer<typeof imagePlanSchema>;

/** Only the fields that are stated, so that a task or a model without one does not tell of it. */
export function imagePlanOf(fields: ImagePlan): ImagePlan {
  const { modality, spacingMm, ctWindowHu, percentiles } = fields;
  return {
    ...(modality && { modality }),
    ...(spacingMm && { spacingMm }),
    ...(ctWindowHu && { ctWindowHu }),
    ...(percentiles && { percentiles }),
  };
}

/** The task file as a human writes it; paths are relative to it. */
export const taskFileSchema = z
  .strictObject({
    name: nameField,
    kind: z.literal('segmentation'),
    ...imagePlanSchema.shape,
    classes: z.array(segmentationClassSchema).min(1).max(128),
    cases: caseListsSchema.optional(),
    split: z.string().min(1).optional().describe('a file with the lists train, validation and test instead of "cases"'),
    start: z
      .strictObject({
        from: z.string().min(1).default('scratch'),
        outputLayer: z.enum(['auto', 'fresh']).default('auto').describe('auto keeps the last layer when its size fits'),
      })
      .prefault({}),
    model: voxelModelChoiceSchema
      .prefault({ architecture: 'genesis-unet3d' })
      .describe('used from scratch; a start model brings its own'),
    patchSizeVoxels: patchPlanSchema.shape.sizeVoxels,
    training: finetuneTrainingSchema.prefault({}),
  })
  .refine((task) => (task.cases === undefined) !== (task.split === undefined), {
    path: ['cases'],
    message: 'give either "cases" or "split"',
  })
  .superRefine((task, context) => {
    const seen = new Set<string | number>();
    task.classes.forEach(({ name, labels }, index) => {
      for (const mark of [name, ...labels]) {
        if (seen.has(mark)) {
          const message = typeof mark === 'number' ? `label ${mark} belongs to two classes` : `two classes are called ${mark}`;
          context.addIssue({ code: 'custom', path: ['classes', index], message });
        }
        seen.add(mark);
      }
    });
  });
export type TaskFile = z.infer<typeof taskFileSchema>;

/** Absolute paths of one labelled case. */
export interface CaseFiles {
  readonly name: string;
  /** A NIfTI file, a DICOM file or a folder with DICOM files. */
  readonly image: string;
  /** Which volume of the folder, and which frame of the volume, where there are several. */
  readonly series?: number | undefined;
  readonly frame?: number | undefined;
  readonly label: string;
}

/** A checked task with absolute paths; plain data, so that it can be sent to a trainer process. */
export interface SegmentationTask extends ImagePlan {
  readonly name: string;
  readonly kind: 'segmentation';
  readonly classes: readonly SegmentationClass[];
  readonly cases: {
    readonly train: readonly CaseFiles[];
    readonly validation: readonly CaseFiles[];
    readonly test: readonly CaseFiles[];
  };
  /** `from` is "scratch" or the absolute path of a model file. */
  readonly start: { readonly from: string; readonly outputLayer: 'auto' | 'fresh' };
  readonly model: TaskFile['model'];
  readonly patchSizeVoxels: readonly [number, number, number];
  readonly training: FinetuneTraining;
}
