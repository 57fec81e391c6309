import { z } from 'zod';
import { positiveInteger } from './fields.js';
import { versionReferenceSchema } from './version-reference.js';

/** Number formats of an update on its way; arithmetic is 32-bit or 64-bit on both ends. */
export const NUMBER_FORMATS = ['f32', 'f16', 'bf16', 'int8'] as const;
export const numberFormatSchema = z.enum(NUMBER_FORMATS);
export type NumberFormat = z.infer<typeof numberFormatSchema>;

/** How sites write their updates. */
export const updatePlanSchema = z.strictObject({
  format: numberFormatSchema.default('f32').describe('int8 has one scale per output channel'),
  errorFeedback: z
    .boolean()
    .default(true)
    .describe('a site adds what rounding took from its last delivered update to the next one; so does the coordinator'),
  download: z
    .enum(['whole', 'delta'])
    .optional()
    .describe(
      'how a site that has the version before gets the next one: whole, or as its difference in the number format; ' +
        'delta when left out, but whole with f32 and with scaffold',
    ),
});
export type UpdatePlan = z.infer<typeof updatePlanSchema>;

/** Which accepted updates are held back before a round is folded. */
export const screeningPlanSchema = z.strictObject({
  normFactor: z
    .number()
    .gt(1)
    .default(5)
    .describe("an update is held back when its norm is this many times the median of the round's others, or that much smaller"),
  minimumCosine: z
    .number()
    .min(-1)
    .max(1)
    .default(-0.5)
    .describe('an update is held back when its direction is further from the mean of the others than this cosine'),
});
export type ScreeningPlan = z.infer<typeof screeningPlanSchema>;

/** What is added to the plain steps of local training. */
export const localRuleSchema = z.discriminatedUnion('kind', [
  /** FedProx: Li et al. (MLSys 2020): mu/2 times the squared distance from the base is added to the loss. */
  z.strictObject({ kind: z.literal('proximal'), mu: z.number().positive() }),
  /** SCAFFOLD: Karimireddy et al. (ICML 2020): gradients are corrected by the difference of two control variates. */
  z.strictObject({
    kind: z.literal('control-variates'),
    /** The mean of all sites' control variates; null means zero. */
    control: versionReferenceSchema.omit({ number: true }).nullable(),
  }),
]);
export type LocalRule = z.infer<typeof localRuleSchema>;

/** Parameters that each site keeps for itself: "norms", or patterns of names as in the optimizer's groups. */
export const siteLocalSchema = z
  .array(z.string().regex(/^[A-Za-z0-9_.*-]{1,200}$/))
  .min(1)
  .max(1000);

/** The part of a cohort that is drawn for each round. */
export const cohortPlanSchema = z.strictObject({
  sites: positiveInteger.describe('sites invited to each round, drawn anew each time; the required ones are always among them'),
});
export type CohortPlan = z.infer<typeof cohortPlanSchema>;
