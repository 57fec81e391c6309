import { z } from 'zod';
import { modelSpecSchema } from '@consilium/shared/models';
import { digestField, positiveInteger } from './fields.js';
import { localTrainingSchema, objectiveSchema, patchPlanSchema, probePlanSchema } from './training-plan.js';

/** A model version as the wire names it; the bytes are fetched by digest. */
export const versionReferenceSchema = z.strictObject({
  /** 1 is the seeded start; each finished round adds one. */
  number: positiveInteger,
  digest: digestField,
  bytes: positiveInteger,
});
export type VersionReference = z.infer<typeof versionReferenceSchema>;

/** What a site is asked to do in one round: data, never code. */
export const roundPlanSchema = z.strictObject({
  campaignId: z.string(),
  campaignName: z.string(),
  roundId: z.string(),
  roundNumber: positiveInteger,
  rounds: positiveInteger,
  model: modelSpecSchema,
  base: versionReferenceSchema,
  objective: objectiveSchema,
  patch: patchPlanSchema,
  training: localTrainingSchema,
  probe: probePlanSchema,
  /** Root of all random streams of the campaign: a patch is named by seed, round, volume digest and visit. */
  seed: z.int().min(0),
});
export type RoundPlan = z.infer<typeof roundPlanSchema>;

/** A request to score one version on the site's frozen probe, without training. */
export const scorePlanSchema = roundPlanSchema
  .pick({
    campaignId: true,
    campaignName: true,
    model: true,
    objective: true,
    patch: true,
    probe: true,
    seed: true,
  })
  .extend({ version: versionReferenceSchema });
export type ScorePlan = z.infer<typeof scorePlanSchema>;

/** What a site should be doing now, as the answer to "site:sync". */
export const assignmentSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('train'),
    participationId: z.string(),
    plan: roundPlanSchema,
    planDigest: digestField,
    /** Time left until the round's deadline, so that clocks never have to agree. */
    remainingMs: z.number(),
  }),
  z.strictObject({ kind: z.literal('score'), plan: scorePlanSchema }),
]);
export type Assignment = z.infer<typeof assignmentSchema>;
