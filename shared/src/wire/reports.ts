import { z } from 'zod';
import { auditHeadSchema } from './audit-heads.js';
import { digestField, fraction, positiveInteger } from './fields.js';

/** `skill` = 1 − restorationError / constantError, where constantError is the error of the best constant (the targets' variance). */
const restorationFields = {
  restorationError: z.number().min(0),
  constantError: z.number().min(0),
  skill: z.number(),
};

/** What the transforms did to a voxel: nothing, mapped or shuffled, or painted over from inside or outside. */
export const VOXEL_TREATMENTS = ['untouched', 'remapped', 'in-painted', 'out-painted'] as const;
export type VoxelTreatment = (typeof VOXEL_TREATMENTS)[number];

/** Restoration of some of the probe's voxels, beside the best constant of just these. */
export const groupScoreSchema = z.strictObject({
  /** Of all modalities when left out. */
  modality: z.enum(['CT', 'MR']).optional(),
  /** All voxels when left out. */
  treatment: z.enum(VOXEL_TREATMENTS).optional(),
  /** Of all voxels of the probe. */
  share: fraction,
  ...restorationFields,
});
export type GroupScore = z.infer<typeof groupScoreSchema>;

/** Restoration of the site's frozen probe by one model version. Numbers only. */
export const probeScoreSchema = z.strictObject({
  ...restorationFields,
  patches: positiveInteger,
  /** By modality, by treatment and by both; groups without a voxel are left out. Not in protocol 1. */
  groups: z.array(groupScoreSchema).max(64).optional(),
});
export type ProbeScore = z.infer<typeof probeScoreSchema>;

/** What the heads and the features of a Universal Model say of the site's frozen probe. Numbers only. */
export const monitorsSchema = z.strictObject({
  patches: positiveInteger,
  /** For each modality that the probe holds. */
  restoration: z.array(probeScoreSchema.extend({ modality: z.enum(['CT', 'MR']) })).max(8),
  /** Share of the patches whose scale the classifier tells; absent without one. */
  scaleAccuracy: fraction.optional(),
  /** Share of the patches whose modality the adversary tells; absent without one. */
  modalityAccuracy: fraction.optional(),
  /** Effective rank of the bottleneck features, from 1 to the number of patches. */
  featureRank: z.number().min(0),
});
export type Monitors = z.infer<typeof monitorsSchema>;

/** Of the base that training began with, and of what is delivered. */
export const updateMonitorsSchema = z.strictObject({ base: monitorsSchema, trained: monitorsSchema });
export type UpdateMonitors = z.infer<typeof updateMonitorsSchema>;

/** What steps show beside their loss, means over their patches. */
export const stepFiguresSchema = z.strictObject({
  restorationError: z.number().min(0).optional(),
  scaleAccuracy: fraction.optional(),
  modalityAccuracy: fraction.optional(),
});
export type StepFigures = z.infer<typeof stepFiguresSchema>;

/** What a site knows of its update, and reports unless its own policy keeps some of it: {@link toldReportSchema}. */
export const updateReportSchema = z.strictObject({
  steps: positiveInteger,
  /** Patches trained, or behind the gradient of an adversary round: the site's weight in the average. */
  patches: positiveInteger,
  /** Both losses only where the plan lets figures leave (`privacy.figures`). */
  meanLoss: z.number().min(0).optional(),
  lastLoss: z.number().min(0).optional(),
  trainingMs: z.number().min(0),
  /** The part of it in which steps waited for their patches. */
  waitedMs: z.number().min(0).optional(),
  /** Volumes in the site's collection; a count, nothing more. */
  volumes: positiveInteger,
  /** The base version on the frozen probe, measured before training; left out in adversary rounds, where it would cost the most, and where figures stay. */
  baseScore: probeScoreSchema.optional(),
  /** Euclidean norm of trained − base, clipped and noised where the plan says so, before anything else is added or rounded. Both figures only where the plan has `updates`. */
  deltaNorm: z.number().min(0).optional(),
  /** What the number format took from what was to be delivered, as a share of its norm. */
  encodingError: z.number().min(0).optional(),
  /** Of a Universal Model, on the frozen probe. */
  monitors: updateMonitorsSchema.optional(),
});
export type UpdateReport = z.infer<typeof updateReportSchema>;

/**
 * What a site reports with its update. Nothing is folded by the figures that may be left out: since protocol 2 a site may keep
 * them. Steps and patches stay, because the average is weighted with them.
 */
export const toldReportSchema = updateReportSchema.partial({ meanLoss: true, lastLoss: true, trainingMs: true, volumes: true });
export type ToldReport = z.infer<typeof toldReportSchema>;

/** The offer of a finished upload. Offering the same update twice is harmless. */
export const updateOfferSchema = z.strictObject({
  participationId: z.string(),
  uploadId: z.string(),
  digest: digestField,
  baseDigest: digestField,
  report: toldReportSchema,
  /** The newest entry of the site's own audit log; the coordinator notes it in its log. Not in protocol 1. */
  auditHead: auditHeadSchema.optional(),
});
export type UpdateOffer = z.infer<typeof updateOfferSchema>;

/** An offer as it arrives: a report that makes no sense is a finding about the update, not a message to refuse. */
export const receivedOfferSchema = updateOfferSchema.extend({ report: z.unknown() });
export type ReceivedOffer = z.infer<typeof receivedOfferSchema>;

/** The answer to an offer that was taken. */
export const offerAnswerSchema = z.object({
  outcome: z.enum(['accepted', 'already-accepted']),
  /** The newest entry of the coordinator's audit log when it answered; the site notes it in its own. Not in protocol 1. */
  auditHead: auditHeadSchema.optional(),
});
export type OfferAnswer = z.infer<typeof offerAnswerSchema>;

export const scoreReportSchema = z.strictObject({
  campaignId: z.string(),
  versionDigest: digestField,
  score: probeScoreSchema,
  /** Of a Universal Model, on the same probe. Not in protocol 1. */
  monitors: monitorsSchema.optional(),
});
export type ScoreReport = z.infer<typeof scoreReportSchema>;

export const progressSchema = z.strictObject({
  participationId: z.string(),
  phase: z.enum(['downloading', 'training', 'uploading']),
  step: z.int().min(0),
  steps: positiveInteger,
  /** Mean loss of the steps since the last report; absent before the first step. */
  loss: z.number().optional(),
  /** Of the same steps; absent where the objective shows nothing. */
  figures: stepFiguresSchema.optional(),
  share: fraction,
});
export type Progress = z.infer<typeof progressSchema>;
