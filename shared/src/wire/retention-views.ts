/** How long a coordinator keeps bytes of weights, and what that comes to. */
import { z } from 'zod';
import { nameField } from './fields.js';

const whole = z.int().min(0);

/** What is kept by rules of its own: updates that were folded or can count no more, updates that were held back, model versions. */
export const RETAINED_KINDS = ['updates', 'held-back', 'versions'] as const;
export type RetainedKind = (typeof RETAINED_KINDS)[number];

/** The rules as the coordinator's settings say them. */
export const retentionRulesSchema = z.object({
  updates: z.string(),
  updateRounds: whole,
  heldBack: z.string(),
  versions: z.union([z.literal('all'), z.int().min(1)]),
  versionEvery: whole,
});
export type RetentionRulesView = z.infer<typeof retentionRulesSchema>;

/** Updates or versions, and the bytes that their records name. Where two records name the same bytes both count them. */
const amountSchema = z.object({ count: whole, bytes: whole });
export type RetainedAmount = z.infer<typeof amountSchema>;

/** GET /api/retention. */
export const retentionViewSchema = z.object({
  rules: retentionRulesSchema,
  shelves: z.array(
    z.object({
      campaignName: nameField,
      kind: z.enum(RETAINED_KINDS),
      /** Whose bytes are there. */
      held: amountSchema,
      /** Of those: what would go now. */
      going: amountSchema,
      /** Whose bytes are gone. */
      dropped: amountSchema,
    }),
  ),
  /** Files that no record needs and that are still to be removed. */
  filesToRemove: whole,
});
export type RetentionView = z.infer<typeof retentionViewSchema>;

/** The body of POST /api/retention/apply. */
export const retentionOrderSchema = z.strictObject({ dryRun: z.boolean().default(false) });

/** What went, or with a dry run would go. */
export const retentionAnswerSchema = z.object({
  dryRun: z.boolean(),
  dropped: z.array(amountSchema.extend({ campaignName: nameField, kind: z.enum(RETAINED_KINDS) })),
  /** Files that were removed; fewer than were dropped where records share them, or where a transfer of the same bytes is under way. */
  filesRemoved: whole,
});
export type RetentionAnswer = z.infer<typeof retentionAnswerSchema>;

/** The body of POST …/versions/:number/pin: the name under which the version is kept. */
export const versionPinSchema = z.strictObject({ name: nameField });
