import { z } from 'zod';
import type { ErrorReport } from '@consilium/shared/kernel';
import { nameField } from './fields.js';
import type { Assignment } from './round-plan.js';
import type { Progress, ScoreReport, UpdateOffer } from './reports.js';

/** Socket.io namespace of the sites' control plane. */
export const SITE_NAMESPACE = '/site';

/** What an agent presents when it connects (socket.io `auth`). */
export const siteHandshakeSchema = z.object({
  protocolVersion: z.int(),
  credential: z.string().min(1),
  agentVersion: z.string().max(32),
});
export type SiteHandshake = z.infer<typeof siteHandshakeSchema>;

/** Every acknowledgement: the value, or the refusal with its code. */
export type Acknowledgement<T> = { ok: true; value: T } | { ok: false; error: ErrorReport };
export type Acknowledge<T> = (answer: Acknowledgement<T>) => void;

/** Agent → coordinator. The agent asks "what now?" (sync); everything else records a fact. All of them may be repeated. */
export interface SiteToCoordinatorEvents {
  'site:sync': (request: Record<string, never>, acknowledge: Acknowledge<{ assignment: Assignment | null }>) => void;
  'participation:accept': (fact: { participationId: string }, acknowledge: Acknowledge<null>) => void;
  'participation:decline': (fact: { participationId: string; code: string }, acknowledge: Acknowledge<null>) => void;
  'participation:fail': (fact: { participationId: string; code: string }, acknowledge: Acknowledge<null>) => void;
  'participation:progress': (fact: Progress, acknowledge: Acknowledge<null>) => void;
  'update:offer': (offer: UpdateOffer, acknowledge: Acknowledge<{ outcome: 'accepted' | 'already-accepted' }>) => void;
  'score:report': (report: ScoreReport, acknowledge: Acknowledge<null>) => void;
}

/** Coordinator → agent: only "something changed, sync". Lost nudges are harmless: the agent also syncs by the clock. */
export interface CoordinatorToSiteEvents {
  'site:nudge': () => void;
  /** Sent just before the coordinator closes the connection for a reason that trying again will not cure at once. */
  'site:refused': (error: ErrorReport) => void;
}

export const participationFactSchema = z.strictObject({ participationId: z.string() });
export const participationEndSchema = z.strictObject({ participationId: z.string(), code: z.string().max(64) });

/** POST /api/site/enrolment: a one-time token becomes a credential. */
export const enrolmentRequestSchema = z.strictObject({
  protocolVersion: z.int(),
  token: z.string().min(1).max(256),
  agentVersion: z.string().max(32),
});
export type EnrolmentRequest = z.infer<typeof enrolmentRequestSchema>;

export const enrolmentAnswerSchema = z.object({
  siteId: z.string(),
  siteName: nameField,
  credential: z.string(),
  protocolVersion: z.int(),
});
export type EnrolmentAnswer = z.infer<typeof enrolmentAnswerSchema>;
