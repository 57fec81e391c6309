import { z } from 'zod';
import { answersEveryVoxel, modelSpecSchema } from '@consilium/shared/models';
import { durationField, nameField, positiveInteger } from './fields.js';
import { localTrainingSchema, objectiveSchema, patchPlanSchema, probePlanSchema } from './training-plan.js';

/** How the updates of a round become the next model version; parts and arguments are checked when a campaign is loaded. */
export const recipeSchema = z.strictObject({
  name: z.enum(['fedavg']).default('fedavg'),
  /** Weights count trained patches; a cap keeps one giant site from drowning the rest. */
  maximumPatchesPerSite: positiveInteger.optional(),
});
export type RecipePlan = z.infer<typeof recipeSchema>;

/**
 * A campaign file: one recipe and one model spec run for many rounds. Plain data: versioned, reviewable, replayable.
 */
export const campaignPlanSchema = z
  .strictObject({
    name: nameField,
    model: modelSpecSchema,
    objective: objectiveSchema.prefault({ kind: 'models-genesis' }),
    patch: patchPlanSchema.prefault({}),
    training: localTrainingSchema,
    probe: probePlanSchema.prefault({}),
    recipe: recipeSchema.prefault({}),
    rounds: positiveInteger.max(100_000),
    seed: z.int().min(0).default(1),
    sites: z.array(nameField).min(1).optional().describe('names of the sites to invite; all enrolled sites when left out'),
    quorum: positiveInteger.default(1).describe('delivered updates that a round needs'),
    grace: durationField.default('30s').describe('how long a round waits for the others once the quorum is reached'),
    deadline: durationField.default('2h').describe('how long a round may take at most'),
  })
  .refine((plan) => plan.sites === undefined || plan.quorum <= plan.sites.length, {
    path: ['quorum'],
    message: 'a quorum larger than the number of named sites can never be reached',
  })
  .refine((plan) => answersEveryVoxel(plan.model), {
    path: ['model', 'architecture'],
    message: 'restoring patches needs a network that answers for every voxel, such as genesis-unet3d',
  });

export type CampaignPlan = z.infer<typeof campaignPlanSchema>;
