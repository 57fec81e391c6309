import { z } from 'zod';
import { digestField, nameField } from './fields.js';
import { privacyPlanSchema } from './privacy-plan.js';
import { monitorsSchema, probeScoreSchema, progressSchema, updateMonitorsSchema } from './reports.js';

/** Socket.io namespace of operators; `auth: { token }`. The coordinator emits "campaign:event" with a {@link CampaignEvent}. */
export const OPERATOR_NAMESPACE = '/operator';

export const ROUND_STATES = ['planned', 'inviting', 'training', 'aggregating', 'finished', 'failed', 'cancelled'] as const;
export type RoundState = (typeof ROUND_STATES)[number];

export const PARTICIPATION_STATES = [
  'invited',
  'accepted',
  'training',
  'delivering',
  'delivered',
  'quarantined',
  'declined',
  'late',
  'failed',
] as const;
export type ParticipationState = (typeof PARTICIPATION_STATES)[number];

/** A *quarantined* update counts nowhere until an operator releases it; *discarded* is an operator's last word. */
export const UPDATE_STATES = ['accepted', 'quarantined', 'released', 'discarded'] as const;
export type UpdateState = (typeof UPDATE_STATES)[number];

export const CAMPAIGN_STATES = ['active', 'paused', 'scoring', 'finished', 'failed', 'cancelled'] as const;
export type CampaignState = (typeof CAMPAIGN_STATES)[number];

/** Where a round of a campaign with a frozen adversary stands; no other campaign's rounds say it. */
export const roundPlaceSchema = z.object({
  part: z.enum(['representation', 'adversary']),
  /** Rounds of the campaign. */
  rounds: z.int(),
  /** Which of the adversary rounds after a round of the representation it is, from 1, and of how many; 0 in the latter. */
  subRound: z.int(),
  subRounds: z.int(),
});
export type RoundPlaceView = z.infer<typeof roundPlaceSchema>;

const campaignReference = { campaignId: z.string(), campaignName: z.string(), atMs: z.number() };

/** Earlier coordinators name the number alone, and so do moves of a site's part after its round has ended. */
const roundReference = { roundNumber: z.int(), roundId: z.string().optional(), attempt: z.int().optional() };

/** What the command line's --follow and a dashboard read. */
export const campaignEventSchema = z.discriminatedUnion('kind', [
  z.object({ ...campaignReference, kind: z.literal('campaign'), state: z.enum(CAMPAIGN_STATES) }),
  z.object({
    ...campaignReference,
    kind: z.literal('round'),
    ...roundReference,
    place: roundPlaceSchema.optional(),
    state: z.enum(ROUND_STATES),
    /** Of the version that the round produced. */
    versionDigest: digestField.optional(),
    code: z.string().optional(),
    /** Required sites that a failed round lacked. */
    missingSites: z.array(nameField).optional(),
    /** Of a finished round of a Universal Model: the mean of its updates. */
    monitors: updateMonitorsSchema.optional(),
  }),
  z.object({
    ...campaignReference,
    kind: z.literal('participation'),
    ...roundReference,
    participationId: z.string().optional(),
    siteName: nameField,
    state: z.enum(PARTICIPATION_STATES),
    code: z.string().optional(),
  }),
  z.object({
    ...campaignReference,
    kind: z.literal('progress'),
    roundNumber: z.int(),
    siteName: nameField,
    progress: progressSchema,
  }),
  z.object({
    ...campaignReference,
    kind: z.literal('score'),
    siteName: nameField,
    versionNumber: z.int(),
    score: probeScoreSchema,
    /** Of the same version, if it is a Universal Model's. */
    monitors: monitorsSchema.optional(),
  }),
]);
export type CampaignEvent = z.infer<typeof campaignEventSchema>;

/** GET /api/sites: one row per site. */
export const siteViewSchema = z.object({
  id: z.string(),
  name: nameField,
  state: z.enum(['invited', 'enrolled', 'revoked']),
  connected: z.boolean(),
  /** Bound to a key of the site's own, or a bearer credential of an earlier kind; null before the site has enrolled. */
  credential: z.enum(['signed', 'bearer']).nullable(),
  enrolledAtMs: z.number().nullable(),
  lastSeenAtMs: z.number().nullable(),
});
export type SiteView = z.infer<typeof siteViewSchema>;

/** GET /api/sites/:name. */
export const siteDetailsSchema = siteViewSchema.extend({
  createdAtMs: z.number(),
  /** Of an invitation that nobody has used. */
  tokenExpiresAtMs: z.number().nullable(),
  /** Name of the site's public key (RFC 7638). */
  keyThumbprint: z.string().nullable(),
  /** Of the newest signed credential; the agent has it renewed before. */
  credentialExpiresAtMs: z.number().nullable(),
  agentVersion: z.string().nullable(),
  /** Spoken when it last connected. */
  protocolVersion: z.int().nullable(),
  /** Until when the site has said that it does not train. */
  restUntilMs: z.number().nullable(),
  /** Those that it takes part in, newest first. */
  campaigns: z.array(z.object({ name: nameField, state: z.enum(CAMPAIGN_STATES) })),
});
export type SiteDetails = z.infer<typeof siteDetailsSchema>;

export const participationViewSchema = z.object({
  id: z.string(),
  siteName: nameField,
  state: z.enum(PARTICIPATION_STATES),
  code: z.string().nullable(),
  patches: z.number().nullable(),
  /** Size of the update on its way. */
  bytes: z.number().nullable(),
  /** The round in which the update counted: the same one, a later one, or none. */
  countedInRound: z.int().nullable(),
  meanLoss: z.number().nullable(),
  trainingMs: z.number().nullable(),
  /** Of a Universal Model, as the site reported them with its update. */
  monitors: updateMonitorsSchema.optional(),
});

export const scoreViewSchema = z.object({
  siteName: nameField,
  score: probeScoreSchema,
  /** Of a Universal Model. */
  monitors: monitorsSchema.optional(),
});

/** A model version with every score that sites have sent for it. */
export const versionViewSchema = z.object({
  number: z.int(),
  digest: digestField,
  bytes: z.number(),
  scores: z.array(scoreViewSchema),
  /** The name under which retention keeps it whatever its rules say. */
  pin: nameField.optional(),
  /** Since when its bytes are gone by the rules of retention; what it was and where it came from stays. */
  droppedAtMs: z.number().optional(),
});
export type VersionView = z.infer<typeof versionViewSchema>;

export const roundViewSchema = z.object({
  id: z.string(),
  number: z.int(),
  place: roundPlaceSchema.optional(),
  /** 1 for the first try of this number. */
  attempt: z.int(),
  state: z.enum(ROUND_STATES),
  code: z.string().nullable(),
  startedAtMs: z.number().nullable(),
  finishedAtMs: z.number().nullable(),
  baseVersion: z.int(),
  /** The version this round produced. */
  version: versionViewSchema.nullable(),
  /** Of a Universal Model: the mean of the updates that count in this round, weighted by the patches of the sites' probes. */
  monitors: updateMonitorsSchema.optional(),
  participations: z.array(participationViewSchema),
});
export type RoundView = z.infer<typeof roundViewSchema>;

/** What update privacy has come to: the plan's own fields, and ε for its δ. */
export const campaignPrivacySchema = privacyPlanSchema.extend({
  /** What cannot be told apart: a site's contribution and none, or any two of the site. */
  neighbours: z.enum(['zeroed', 'replaced']),
  sites: z.array(z.object({ siteName: nameField, releases: z.int(), epsilon: z.number() })),
  /** Of a site that takes part in every round. */
  epsilonAtEnd: z.number(),
});
export type CampaignPrivacyView = z.infer<typeof campaignPrivacySchema>;

/** GET /api/campaigns/:idOrName. */
export const campaignViewSchema = z.object({
  id: z.string(),
  name: nameField,
  state: z.enum(CAMPAIGN_STATES),
  rounds: z.int(),
  finishedRounds: z.int(),
  createdAtMs: z.number(),
  code: z.string().nullable(),
  /** Only where the plan has privacy. */
  privacy: campaignPrivacySchema.optional(),
  /** Version 1: the seeded start. */
  initialVersion: versionViewSchema,
  /** The newest version. */
  version: versionViewSchema,
  roundViews: z.array(roundViewSchema),
});
export type CampaignView = z.infer<typeof campaignViewSchema>;

/** GET /api/updates: one row per delivered update. */
export const updateViewSchema = z.object({
  participationId: z.string(),
  campaignName: nameField,
  siteName: nameField,
  /** The round of the site's participation. */
  roundNumber: z.int(),
  /** The version from which it was trained. */
  baseVersion: z.int(),
  /** The round in which it counts; null as long as it counts nowhere. */
  countsInRound: z.int().nullable(),
  state: z.enum(UPDATE_STATES),
  /** Why it is or was held back, as a code and in words. */
  code: z.string().nullable(),
  reason: z.string().nullable(),
  digest: digestField,
  bytes: z.number(),
  patches: z.number(),
  /** Euclidean norm of its values; null when the bytes could not be read as an update. */
  norm: z.number().nullable(),
  /** What rounding to the campaign's number format took, as the site reports it; null where nothing was reported. */
  encodingError: z.number().nullable(),
  acceptedAtMs: z.number(),
  decidedBy: z.string().nullable(),
  decidedWhy: z.string().nullable(),
  decidedAtMs: z.number().nullable(),
  /** Since when its bytes are gone by the rules of retention. */
  droppedAtMs: z.number().optional(),
});
export type UpdateView = z.infer<typeof updateViewSchema>;

/** POST /api/updates/:participationId/release and …/discard: an operator's word on an update that was held back. */
export const updateDecisionSchema = z.strictObject({
  operator: nameField.optional().describe('who decides; left out by a signed-in operator'),
  reason: z
    .string()
    .trim()
    .regex(/^[^\x00-\x1f\x7f-\x9f]{1,500}$/u, 'expected up to 500 characters on one line')
    .optional(),
});
export type UpdateDecision = z.infer<typeof updateDecisionSchema>;
