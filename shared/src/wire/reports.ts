import { z } from 'zod';
import { digestField, fraction, positiveInteger } from './fields.js';

/**
 * Restoration of the site's frozen probe by one model version. Numbers only.
 * `skill` = 1 − restorationError / constantError, where constantError is the error of the best constant (the targets' variance).
 */
export const probeScoreSchema = z.strictObject({
  restorationError: z.number().min(0),
  constantError: z.number().min(0),
  skill: z.number(),
  patches: positiveInteger,
});
export type ProbeScore = z.infer<typeof probeScoreSchema>;

/** What a site reports with its update. */
export const updateReportSchema = z.strictObject({
  steps: positiveInteger,
  /** Patches trained, or behind the gradient of an adversary round: the site's weight in the average. */
  patches: positiveInteger,
  meanLoss: z.number().min(0),
  lastLoss: z.number().min(0),
  trainingMs: z.number().min(0),
  /** The part of it in which steps waited for their patches. */
  waitedMs: z.number().min(0).optional(),
  /** Volumes in the site's collection; a count, nothing more. */
  volumes: positiveInteger,
  /** The base version on the frozen probe, measured before training; left out in adversary rounds, where it would cost the most. */
  baseScore: probeScoreSchema.optional(),
  /** Euclidean norm of trained − base, before anything is added or rounded. Both figures only where the plan has `updates`. */
  deltaNorm: z.number().min(0).optional(),
  /** What the number format took from what was to be delivered, as a share of its norm. */
  encodingError: z.number().min(0).optional(),
});
export type UpdateReport = z.infer<typeof updateReportSchema>;

/** The offer of a finished upload. Offering the same update twice is harmless. */
export const updateOfferSchema = z.strictObject({
  participationId: z.string(),
  uploadId: z.string(),
  digest: digestField,
  baseDigest: digestField,
  report: updateReportSchema,
});
export type UpdateOffer = z.infer<typeof updateOfferSchema>;

/** An offer as it arrives: a report that makes no sense is a finding about the update, not a message to refuse. */
export const receivedOfferSchema = updateOfferSchema.extend({ report: z.unknown() });
export type ReceivedOffer = z.infer<typeof receivedOfferSchema>;

export const scoreReportSchema = z.strictObject({
  campaignId: z.string(),
  versionDigest: digestField,
  score: probeScoreSchema,
});
export type ScoreReport = z.infer<typeof scoreReportSchema>;

export const progressSchema = z.strictObject({
  participationId: z.string(),
  phase: z.enum(['downloading', 'training', 'uploading']),
  step: z.int().min(0),
  steps: positiveInteger,
  /** Mean loss of the steps since the last report; absent before the first step. */
  loss: z.number().optional(),
  share: fraction,
});
export type Progress = z.infer<typeof progressSchema>;
