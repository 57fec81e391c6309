/**
 * A pretraining recipe as a human writes it: what trains self-supervised at one site, without a coordinator. Objective, patches,
 * network and optimizer are written as in a campaign file. Defaults are Models Genesis' own (Zhou et al., MICCAI 2019; MedIA
 * 2021; public PyTorch code): SGD at rate 1 with momentum 0.9, halved every 40 epochs, batches of 6, the best weights on
 * validation pairs, 50 epochs of patience. A universal model has Adam at 0.001, batches of 12 and 33 patches of each volume.
 */
import { modelSpecSchema } from '@consilium/shared/models';
import {
  checkAdversaryAlone,
  checkRestoration,
  localTrainingSchema,
  nameField,
  objectiveSchema,
  optimizerPlanSchema,
  patchPlanSchema,
  positiveInteger,
  scheduleSchema,
  type TrainingDefaults,
  withTrainingDefaults,
} from '@consilium/shared/wire';
import { z } from 'zod';

const epochSchedule = z.strictObject({
  kind: z.literal('epochs'),
  every: positiveInteger.default(40).describe('epochs between two cuts'),
  factor: z.number().gt(0).max(1).default(0.5).describe('what is left of the rate after a cut'),
});

const plateauSchedule = z.strictObject({
  kind: z.literal('plateau'),
  factor: z.number().gt(0).lt(1).default(0.5),
  patience: positiveInteger.default(10).describe('validations without a better loss before the rate is cut'),
  minimumDelta: z.number().min(0).default(1e-4),
  floor: z.number().min(0).default(1e-6),
});

/** By epochs or on a plateau, as published; or one of a campaign's schedules, over all steps. */
export const pretrainScheduleSchema = z.discriminatedUnion('kind', [epochSchedule, plateauSchedule, ...scheduleSchema.options]);
export type PretrainSchedule = z.infer<typeof pretrainScheduleSchema>;

/** Early stopping ends a training long before. */
const ENDLESS_EPOCHS = 10_000;

const { batchSize, accumulateBatches, precision, minutes, checkpointEverySteps } = localTrainingSchema.shape;

const GENESIS_TRAINING: TrainingDefaults = {
  optimizer: optimizerPlanSchema.parse({ kind: 'sgd', learningRate: 1 }),
  batchSize: 6,
};
const PATCHES_PER_VOLUME = { 'models-genesis': 32, 'universal-model': 33 } as const;

/** Optimizer, batch and epoch follow the objective where they are left out. */
const trainingSchema = z.strictObject({
  optimizer: optimizerPlanSchema.optional(),
  schedule: pretrainScheduleSchema.prefault({ kind: 'epochs' }),
  batchSize: batchSize.unwrap().optional(),
  accumulateBatches,
  precision,
  patchesPerVolume: positiveInteger
    .max(100_000)
    .optional()
    .describe('an epoch is as many batches as hold this many patches of each volume, rounded down'),
  epochs: positiveInteger.max(1_000_000).default(ENDLESS_EPOCHS),
  steps: positiveInteger.max(100_000_000).optional().describe('training ends after so many steps, whatever the epochs'),
  minutes: minutes.describe('and after so many minutes of training'),
  earlyStopEpochs: positiveInteger.default(50).describe('epochs without a better validation loss before training ends'),
  checkpointEverySteps: checkpointEverySteps.unwrap().default(50),
});

const validationSchema = z.strictObject({
  share: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.2)
    .describe('of the volumes, held out by the seed; a patient’s volumes stay together'),
  volumes: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('the volumes to hold out instead: their files, or the last parts of their paths'),
  patchesPerVolume: positiveInteger.max(100_000).default(32),
  everyEpochs: positiveInteger.default(1),
});

const recipeFields = z.strictObject({
  name: nameField,
  model: modelSpecSchema,
  objective: objectiveSchema.prefault({ kind: 'models-genesis' }),
  patch: patchPlanSchema.prefault({}),
  training: trainingSchema.prefault({}),
  validation: validationSchema.prefault({}),
  seed: z.int().min(0).default(1),
});

function withDefaults({ training, ...written }: z.infer<typeof recipeFields>) {
  const { patchesPerVolume = PATCHES_PER_VOLUME[written.objective.kind] } = training;
  return { ...written, training: { ...withTrainingDefaults(training, written.objective, GENESIS_TRAINING), patchesPerVolume } };
}
export type PretrainRecipe = ReturnType<typeof withDefaults>;
export type PretrainTraining = PretrainRecipe['training'];

/**
 * What counts in shares of all steps would not come about in a training whose length nobody knows: the first stage of a curriculum
 * would never end, a rate never fall, an adversary not even begin.
 */
function checkLength({ objective, training }: PretrainRecipe, context: z.RefinementCtx): void {
  if (training.steps !== undefined || training.epochs < ENDLESS_EPOCHS) return;
  const hasAdversary = objective.kind === 'universal-model' && objective.adversary.mode !== 'none';
  const { kind } = training.schedule;
  const shares = [
    ...(hasAdversary ? ['an adversary’s warm-up and ramp'] : []),
    ...(objective.curriculum === undefined ? [] : ['a curriculum’s stages']),
    ...(kind === 'cosine' || kind === 'polynomial' ? [`a ${kind} schedule’s rates`] : []),
  ];
  if (shares.length === 0) return;
  const message = `${shares.join(', ')} are shares of all steps, whose number must be known; give training.steps or training.epochs`;
  context.addIssue({ code: 'custom', path: ['training', 'steps'], message });
}

export const pretrainRecipeSchema = recipeFields
  .transform(withDefaults)
  .superRefine(checkRestoration)
  .superRefine(checkAdversaryAlone)
  .superRefine(checkLength);
