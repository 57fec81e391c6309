import { z } from 'zod';
import type { ErrorReport } from '@consilium/shared/kernel';
import { nameField } from './fields.js';
import { exactly, type ProtocolRange } from './protocol-version.js';
import type { Assignment } from './round-plan.js';
import type { OfferAnswer, Progress, ScoreReport, UpdateOffer } from './reports.js';

/** Socket.io namespace of the sites' control plane. */
export const SITE_NAMESPACE = '/site';

/** Where sockets are opened; a proof for the handshake is made for GET of this path. */
export const SOCKET_PATH = '/socket.io/';

/**
 * What an agent presents when it connects (socket.io `auth`). Unknown fields are let pass, so that a later agent can say more
 * than this coordinator understands.
 */
export const siteHandshakeSchema = z.object({
  /** What a coordinator goes by that does not know `protocolVersions`. */
  protocolVersion: z.int(),
  /** Since protocol 2: all that the agent speaks. */
  protocolVersions: z.object({ oldest: z.int(), newest: z.int() }).optional(),
  credential: z.string().min(1),
  /** Since protocol 2: that the agent holds the key which the credential is bound to; left out with one that is bound to none. */
  proof: z.string().optional(),
  agentVersion: z.string().max(32),
});
export type SiteHandshake = z.infer<typeof siteHandshakeSchema>;

/** The versions that an agent speaks; one of protocol 1 names only the one. */
export function protocolsOf({ protocolVersion, protocolVersions }: SiteHandshake): ProtocolRange {
  return protocolVersions ?? exactly(protocolVersion);
}

/** Since protocol 2: the coordinator's first event on a new connection. */
export const siteWelcomeSchema = z.object({
  /** What both sides speak on this connection. */
  protocolVersion: z.int(),
});
export type SiteWelcome = z.infer<typeof siteWelcomeSchema>;

/** Hours repeat each week; an hour more where the clocks are set. */
const LONGEST_REST_MS = 8 * 24 * 3_600_000;

/** "site:sync" in protocol 1. */
export const emptySyncSchema = z.strictObject({});

/** "site:sync" since protocol 2. */
export const syncRequestSchema = z.strictObject({
  /** Time until the hours begin in which the site trains; left out while it trains when asked. */
  restsForMs: z.number().min(0).max(LONGEST_REST_MS).optional(),
});
export type SyncRequest = z.infer<typeof syncRequestSchema>;

/** Every acknowledgement: the value, or the refusal with its code. */
export type Acknowledgement<T> = { ok: true; value: T } | { ok: false; error: ErrorReport };
export type Acknowledge<T> = (answer: Acknowledgement<T>) => void;

/** Agent → coordinator. The agent asks "what now?" (sync); everything else records a fact. All of them may be repeated. */
export interface SiteToCoordinatorEvents {
  'site:sync': (request: SyncRequest, acknowledge: Acknowledge<{ assignment: Assignment | null }>) => void;
  'participation:accept': (fact: { participationId: string }, acknowledge: Acknowledge<null>) => void;
  'participation:decline': (fact: { participationId: string; code: string }, acknowledge: Acknowledge<null>) => void;
  'participation:fail': (fact: { participationId: string; code: string }, acknowledge: Acknowledge<null>) => void;
  'participation:progress': (fact: Progress, acknowledge: Acknowledge<null>) => void;
  'update:offer': (offer: UpdateOffer, acknowledge: Acknowledge<OfferAnswer>) => void;
  'score:report': (report: ScoreReport, acknowledge: Acknowledge<null>) => void;
}

/** Coordinator → agent: only "something changed, sync". Lost nudges are harmless: the agent also syncs by the clock. */
export interface CoordinatorToSiteEvents {
  'site:nudge': () => void;
  /** Since protocol 2. */
  'site:welcome': (welcome: SiteWelcome) => void;
  /** Sent just before the coordinator closes the connection for a reason that trying again will not cure at once. */
  'site:refused': (error: ErrorReport) => void;
}

export const participationFactSchema = z.strictObject({ participationId: z.string() });
export const participationEndSchema = z.strictObject({ participationId: z.string(), code: z.string().max(64) });

/** The name of the key (RFC 7638) that the coordinator signs passports with. */
const keyNameField = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

/**
 * POST /api/site/enrolment: a one-time token becomes a credential. The agent names one version, and asks once more with the
 * coordinator's when it is refused: the request is the same in all versions. An agent that makes a key of its own proves it in a
 * header, as every later request (RFC 9449, section 5), which a coordinator that knows nothing of keys passes over.
 */
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
  /** Since protocol 2: the credential is bound to the agent's key and good for so long; left out with one that is bound to none. */
  expiresInMs: z.number().positive().optional(),
  coordinatorKey: keyNameField.optional(),
});
export type EnrolmentAnswer = z.infer<typeof enrolmentAnswerSchema>;

/**
 * POST /api/site/credential, since protocol 2: a new credential for the key that the request is signed with; with the bearer
 * credential of an earlier enrolment, that one becomes void and the key takes its place.
 */
export const credentialRequestSchema = z.strictObject({
  /** Of a key that takes the place of the one that the request is signed with: its own proof, made for that one's thumbprint. */
  nextProof: z.string().max(4096).optional(),
});
export type CredentialRequest = z.infer<typeof credentialRequestSchema>;

/** Unknown fields are let pass. */
export const credentialAnswerSchema = z.object({
  credential: z.string(),
  /** Counted from the answer, so that the two clocks need not agree. */
  expiresInMs: z.number().positive(),
  coordinatorKey: keyNameField.optional(),
});
export type CredentialAnswer = z.infer<typeof credentialAnswerSchema>;
