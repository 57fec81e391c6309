import { z } from 'zod';
import { fraction, positiveInteger } from './fields.js';

/**
 * Models Genesis transformations (Zhou et al., MedIA 2021; the defaults are the "v2" generation of the public code).
 * The order is fixed: flip input and target, local shuffle, non-linear intensity, then in-painting or out-painting.
 */
export const genesisTransformsSchema = z.strictObject({
  nonlinearProbability: fraction.default(0.9),
  shuffleProbability: fraction.default(0.5),
  shuffleBlocks: z.int().min(0).max(100_000).default(10_000),
  flipProbability: fraction.default(0.4),
  flipAxes: z.array(z.enum(['x', 'y', 'z'])).default(['x', 'y']),
  paintProbability: fraction.default(0.9),
  outPaintShare: fraction.default(0.8),
  paintFill: z.enum(['noise', 'flat']).default('noise'),
});
export type GenesisTransforms = z.infer<typeof genesisTransformsSchema>;

/** Restoration of distorted patches, mean squared error over all voxels. */
export const genesisObjectiveSchema = z.strictObject({
  kind: z.literal('models-genesis'),
  transforms: genesisTransformsSchema.prefault({}),
});

export const objectiveSchema = z.discriminatedUnion('kind', [genesisObjectiveSchema]);
export type ObjectivePlan = z.infer<typeof objectiveSchema>;

/** How volumes become patches; one setting for the whole campaign, so that all sites feed alike. */
export const patchPlanSchema = z.strictObject({
  sizeVoxels: z
    .tuple([positiveInteger, positiveInteger, positiveInteger])
    .refine((size) => size.every((side) => side % 8 === 0 && side <= 256), 'each side must be a multiple of 8, at most 256')
    .default([64, 64, 32])
    .describe('x, y, z; a multiple of 8 because the network halves each side three times'),
  minimumForeground: fraction.default(0.1).describe('share of voxels that must lie above the air threshold'),
});
export type PatchPlan = z.infer<typeof patchPlanSchema>;

export const optimizerPlanSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sgd'),
    learningRate: z.number().positive(),
    momentum: z.number().min(0).max(1).default(0.9),
  }),
  z.strictObject({
    kind: z.literal('adam'),
    learningRate: z.number().positive(),
    beta1: z.number().min(0).max(1).default(0.9),
    beta2: z.number().min(0).max(1).default(0.999),
    epsilon: z.number().positive().default(1e-8),
  }),
]);
export type OptimizerPlan = z.infer<typeof optimizerPlanSchema>;

/** The local part of a round. The optimizer starts afresh in each round. */
export const localTrainingSchema = z.strictObject({
  optimizer: optimizerPlanSchema.prefault({ kind: 'sgd', learningRate: 0.1 }),
  batchSize: positiveInteger.max(256).default(2),
  steps: positiveInteger.max(1_000_000).describe('optimizer steps per site and round'),
  checkpointEverySteps: positiveInteger.default(10),
});
export type LocalTraining = z.infer<typeof localTrainingSchema>;

/** The frozen, label-free probe on which each site scores each model version. */
export const probePlanSchema = z.strictObject({
  patches: positiveInteger.max(4096).default(8),
});
export type ProbePlan = z.infer<typeof probePlanSchema>;
