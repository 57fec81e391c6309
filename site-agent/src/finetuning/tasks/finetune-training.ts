import { z } from 'zod';
import { fraction, positiveInteger, scheduleSchema } from '@consilium/shared/wire';

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
export type AugmentationPlan = z.infer<typeof augmentationSchema>;

/** What may change in the course of a training; one word, or the word with details. */
const modeSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { kind: given } : given),
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('full') }),
    z.strictObject({ kind: z.literal('linear-probe') }),
    z.strictObject({
      kind: z.literal('frozen-then-unfrozen'),
      frozenSteps: positiveInteger.default(100).describe('steps in which nothing that was taken from the start model changes'),
    }),
  ]),
);
export type FinetuneMode = z.infer<typeof modeSchema>;

const clipNorm = z.number().positive().optional().describe('longest Euclidean norm of all gradients together');
const weightDecay = z.number().min(0).optional().describe('pull of each weight towards zero');
const moment = z.number().min(0).max(0.999_999);
const momentFields = { beta1: moment.default(0.9), beta2: moment.default(0.999), epsilon: z.number().positive().default(1e-8) };

/** How gradients become steps, with the fields of a campaign's optimizer; one word, or the word with details. */
const optimizerSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { kind: given } : given),
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('adam'), ...momentFields, weightDecay, clipNorm }),
    z.strictObject({ kind: z.literal('adamw'), ...momentFields, weightDecay: weightDecay.unwrap().default(0.01), clipNorm }),
    z.strictObject({
      kind: z.literal('sgd'),
      momentum: fraction.default(0.9),
      nesterov: z.boolean().optional(),
      weightDecay,
      clipNorm,
    }),
  ]),
);
export type FinetuneOptimizer = z.infer<typeof optimizerSchema>;

/** What the kinds of task share; each adds its losses and measures. */
export const trainingFields = {
  steps: positiveInteger.max(1_000_000).default(1000),
  batchSize: positiveInteger.max(256).default(4),
  learningRate: z.number().positive().default(1e-3).describe('of all layers, unless factors below say otherwise'),
  optimizer: optimizerSchema.prefault('adam'),
  mode: modeSchema.prefault('full'),
  encoderRateFactor: z.number().positive().max(1).default(1).describe('rate of the loaded encoder, as a share of the rate'),
  layerRateDecay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe('share of the rate that is left from each loaded block to the next one before it, counted from the output'),
  freshFirst: z
    .int()
    .min(0)
    .default(0)
    .describe('steps in which the rate of loaded parameters climbs from nothing to its full value'),
  precision: z.enum(['f32', 'bf16', 'auto']).default('f32').describe('of the activations in training'),
  plateau: plateauSchema.prefault({}),
  schedule: scheduleSchema.optional().describe('on top of the plateau; constant when left out'),
  earlyStopPatience: positiveInteger.default(30).describe('validations without a better result before training ends'),
  validateEverySteps: positiveInteger.default(50),
  checkpointEverySteps: positiveInteger.default(50),
  augmentation: augmentationSchema.prefault({}),
  seed: z.int().min(0).default(1),
};

/** What the course of a training depends on, whatever is trained. */
export type CommonTraining = z.infer<z.ZodObject<typeof trainingFields>> & {
  /** Which validation result keeps weights, cuts the rate and stops training. */
  readonly watch: 'loss' | 'dice' | 'auc' | 'accuracy';
};
