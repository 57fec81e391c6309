import { z } from 'zod';
import { modelSpecSchema } from '@consilium/shared/models';
import { digestField, positiveInteger } from './fields.js';
import { objectiveSchema } from './objective-plan.js';
import { privacyPlanSchema } from './privacy-plan.js';
import { localTrainingSchema, patchPlanSchema, probePlanSchema } from './training-plan.js';
import { localRuleSchema, siteLocalSchema, updatePlanSchema } from './update-plan.js';
import { versionDeltaSchema, versionReferenceSchema } from './version-reference.js';

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
  // What protocol 1 does not know is left out where a campaign does not use it.
  localRule: localRuleSchema.optional(),
  updates: updatePlanSchema.optional(),
  siteLocal: siteLocalSchema.optional(),
  privacy: privacyPlanSchema.optional(),
  /** Another way to the base for a site that has its parent. */
  baseDelta: versionDeltaSchema.optional(),
  /** Sites invited to this round, this one among them: some sites take part in company only. Always told since protocol 2. */
  cohortSites: positiveInteger.optional(),
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
    siteLocal: true,
    baseDelta: true,
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
