import { z } from 'zod';
import { fraction, positiveInteger } from './fields.js';
import { preparationPlanSchema, scalesPlanSchema } from './preparation-plan.js';

/** How volumes become patches; one setting for the whole campaign, so that all sites feed alike. */
const margin = z.int().min(0).max(10_000);

/**
 * Which patches the public Models Genesis code takes (infinite_generator_3D.py): those away from the sides that hold little tissue, as
 * the lungs do. Its own numbers are the defaults.
 */
export const sparsePatchSchema = z.strictObject({
  marginVoxels: z
    .tuple([margin, margin, margin])
    .default([100, 100, 30])
    .describe('kept off both sides along x, y, z; an axis that is too short for it has none'),
  mostDense: fraction
    .default(0.15)
    .describe('mean density of a patch that is taken: 1 for a dense voxel, one half for one before a dense voxel along z'),
  denseFrom: fraction.default(0.425).describe('prepared intensity of a dense voxel; that of -150 HU between ±1000'),
  tries: positiveInteger.max(100_000).default(1600).describe('positions that are tried before the least dense of them is taken'),
});
export type SparsePatchPlan = z.infer<typeof sparsePatchSchema>;

export const patchPlanSchema = z.strictObject({
  sizeVoxels: z
    .tuple([positiveInteger, positiveInteger, positiveInteger])
    .refine((size) => size.every((side) => side % 8 === 0 && side <= 256), 'each side must be a multiple of 8, at most 256')
    .default([64, 64, 32])
    .describe('x, y, z; a multiple of 8 because the network halves each side three times'),
  minimumForeground: fraction.default(0.1).describe('share of voxels that must lie above the air threshold'),
  sparse: sparsePatchSchema
    .optional()
    .describe('refuses patches that hold much tissue, as the public Models Genesis code does; none when left out'),
  preparation: preparationPlanSchema.optional().describe('of the volumes; as published when left out'),
  scales: scalesPlanSchema.optional().describe('crops of several sizes, resized to the patch; one of its own size when left out'),
});
export type PatchPlan = z.infer<typeof patchPlanSchema>;

/** Settings of their own for some parameters; of several groups that match one, the first counts. */
export const parameterGroupSchema = z
  .strictObject({
    match: z
      .string()
      .regex(/^[A-Za-z0-9_.*-]{1,200}$/, 'expected how a parameter name begins, or a pattern of the whole name with *')
      .describe('how the names begin ("e1." is a layer), or with * for any characters a pattern of the whole name ("*.bias")'),
    rateFactor: z.number().positive().optional().describe('times the learning rate; 1 when left out'),
    weightDecay: z.number().min(0).optional().describe("instead of the optimizer's"),
    frozen: z.boolean().optional().describe('these parameters are not trained'),
  })
  .refine((group) => group.frozen !== true || (group.rateFactor === undefined && group.weightDecay === undefined), {
    path: ['frozen'],
    message: 'frozen parameters have neither a rateFactor nor a weightDecay',
  });

const weightDecay = z.number().min(0).describe('pull of each weight towards zero, per step and unit of learning rate');

/** What all optimizers share; a field that is left out is off, and leaves the plan's digest as it was. */
const sharedFields = {
  learningRate: z.number().positive(),
  decayVectors: z.boolean().optional().describe('false spares one-dimensional parameters (norms, biases) the weight decay'),
  clipNorm: z.number().positive().optional().describe('longest Euclidean norm of all gradients together'),
  averageDecay: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe('delivers a moving average of the weights; the share of its old value that stays in each step, 0.99 for example'),
  groups: z.array(parameterGroupSchema).min(1).max(1000).optional(),
};

// Above this a 32-bit decay of a moment could no longer be told from 1.
const momentDecay = z.number().min(0).max(0.999_999);

const momentFields = {
  beta1: momentDecay.default(0.9).describe('share of the old first moment that stays in each step'),
  beta2: momentDecay.default(0.999).describe('share of the old second moment that stays in each step'),
};

/** Numerically PyTorch's SGD, Adam and AdamW; LAMB as in You et al. (ICLR 2020). */
export const optimizerPlanSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('sgd'),
      momentum: z.number().min(0).max(1).default(0.9),
      nesterov: z.boolean().optional(),
      weightDecay: weightDecay.optional(),
      ...sharedFields,
    }),
    z.strictObject({
      kind: z.literal('adam'),
      ...momentFields,
      epsilon: z.number().positive().default(1e-8),
      weightDecay: weightDecay.optional().describe('added to the gradient (L2)'),
      ...sharedFields,
    }),
    z.strictObject({
      kind: z.literal('adamw'),
      ...momentFields,
      epsilon: z.number().positive().default(1e-8),
      weightDecay: weightDecay.default(0.01).describe('taken from the weights apart from the gradient'),
      ...sharedFields,
    }),
    z.strictObject({
      kind: z.literal('lamb'),
      ...momentFields,
      epsilon: z.number().positive().default(1e-6),
      weightDecay: weightDecay.default(0.01).describe('part of the step whose length is fitted to the weights'),
      ...sharedFields,
    }),
  ])
  .superRefine((plan, context) => {
    if (plan.kind === 'sgd' && plan.nesterov === true && plan.momentum === 0) {
      context.addIssue({ code: 'custom', path: ['nesterov'], message: 'nesterov needs a momentum above 0' });
    }
    if (plan.kind === 'adamw' && plan.learningRate * plan.weightDecay >= 1) {
      const message = 'learningRate times weightDecay must be below 1: a step would wipe the weights out';
      context.addIssue({ code: 'custom', path: ['weightDecay'], message });
    }
  });
export type OptimizerPlan = z.infer<typeof optimizerPlanSchema>;

const warmUp = z
  .strictObject({
    steps: positiveInteger.max(100_000_000).describe('steps until the full rate is reached, in a straight line'),
    startFactor: z.number().gt(0).max(1).default(0.01).describe('share of the learning rate in the first step'),
  })
  .optional();

/**
 * How the learning rate changes. Its clock counts optimizer steps over all rounds of a campaign, and begins when the warm-up
 * ends. Cutting the rate on a plateau is not among them: each site would come to a rate of its own.
 */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), warmUp }),
  z.strictObject({
    kind: z.literal('step'),
    everySteps: positiveInteger.describe('optimizer steps between two cuts'),
    factor: z.number().gt(0).max(1).default(0.5).describe('what is left of the rate after a cut'),
    warmUp,
  }),
  z.strictObject({
    kind: z.literal('polynomial'),
    power: z.number().positive().default(0.9).describe('(1 - share of the steps done) to this power, down to 0'),
    warmUp,
  }),
  z.strictObject({
    kind: z.literal('cosine'),
    floorFactor: fraction.default(0).describe('share of the learning rate that is left at the end'),
    warmUp,
  }),
]);
export type SchedulePlan = z.infer<typeof scheduleSchema>;

/** The local part of a round. The optimizer starts afresh in each round. */
export const localTrainingSchema = z.strictObject({
  optimizer: optimizerPlanSchema.prefault({ kind: 'sgd', learningRate: 0.1 }),
  schedule: scheduleSchema.optional().describe('of the learning rate; constant when left out'),
  batchSize: positiveInteger.max(256).default(2),
  accumulateBatches: positiveInteger
    .max(1024)
    .optional()
    .describe('batches whose gradients are averaged into one step; 1 when left out'),
  precision: z
    .enum(['f32', 'bf16', 'auto'])
    .optional()
    .describe(
      'element type of the activations: f32 when left out; auto lets each site take bf16 where its machine is faster so; a processor without AVX-512 takes f32 in any case',
    ),
  steps: positiveInteger.max(1_000_000).describe('optimizer steps per site and round'),
  minutes: z
    .number()
    .positive()
    .optional()
    .describe('a site stops after so many minutes of training, though not before its first step, even if steps are left'),
  checkpointEverySteps: positiveInteger.default(10),
});
export type LocalTraining = z.infer<typeof localTrainingSchema>;

/** Patches whose gradients make one step, over all batches and devices of a site. */
export function patchesPerStep({ batchSize, accumulateBatches = 1 }: LocalTraining): number {
  return batchSize * accumulateBatches;
}

/** The frozen, label-free probe on which each site scores each model version. */
export const probePlanSchema = z.strictObject({
  patches: positiveInteger.max(4096).default(8),
});
export type ProbePlan = z.infer<typeof probePlanSchema>;
