import { Manager, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { type ErrorCode, FederationError } from '@consilium/shared/kernel';
import {
  type Assignment,
  assignmentSchema,
  type CoordinatorToSiteEvents,
  nameField,
  type OfferAnswer,
  offerAnswerSchema,
  offerInProtocol1,
  scoreReportInProtocol1,
  OUR_PROTOCOLS,
  parseWith,
  type Progress,
  PROTOCOL_VERSION,
  protocolToTry,
  type ScoreReport,
  SITE_NAMESPACE,
  type SiteHandshake,
  siteWelcomeSchema,
  type SyncRequest,
  type UpdateOffer,
} from '@consilium/shared/wire';
import { backoffDelayMs, type BackoffPlan, DEFAULT_BACKOFF } from './backoff.js';
import { reasonOf, refusalSchema } from './coordinator-address.js';
import { reasonOfConnectError } from './connect-error.js';
import { PLAIN_LINE } from './outgoing-line.js';
import type { CoordinatorAccess, Lack } from './request-identity.js';
import { socketAddress } from './socket-address.js';
import type { CoordinatorLink, LinkState } from './coordinator-link.js';

/** What the link sends; values and answers are checked against the wire's schemas. */
type SiteRequest =
  | 'site:sync'
  | 'participation:accept'
  | 'participation:decline'
  | 'participation:fail'
  | 'participation:progress'
  | 'update:offer'
  | 'score:report';
type SiteRequests = Record<SiteRequest, (body: object, acknowledge: (answer: unknown) => void) => void>;

export interface SocketLinkOptions extends CoordinatorAccess {
  readonly agentVersion: string;
  readonly backoff?: BackoffPlan;
  /** A request without an answer for this long counts as COORDINATOR_UNREACHABLE. */
  readonly answerTimeoutMs?: number;
  /** How long "already connected" may be our own connection that broke without the coordinator noticing yet. */
  readonly duplicateGraceMs?: { readonly first: number; readonly again: number };
  /** Random numbers in [0, 1) for the jitter. */
  readonly uniform?: () => number;
  /** Told the version that both sides speak, when it is first known and whenever it is another one than before. */
  readonly onProtocol?: (version: number) => void;
}

/** Refusals after which only a human can help. */
const FINAL_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'SITE_UNKNOWN',
  'CREDENTIAL_REFUSED',
  'PROOF_REFUSED',
  'PROTOCOL_VERSION',
  'SITE_ALREADY_CONNECTED',
]);

/** Refusals that are over when the next handshake is made anew. */
const CURABLE: Partial<Record<ErrorCode, Lack>> = { PROOF_STALE: 'nonce', CREDENTIAL_EXPIRED: 'credential' };

const acknowledgementSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), error: refusalSchema }),
]);
const syncAnswerSchema = z.object({ assignment: assignmentSchema.nullable() });

/**
 * The control plane over socket.io. Network trouble never ends it: it dials again with jittered, growing pauses. Each dial uses a
 * fresh connection, so that no state of a broken one survives.
 */
export class SocketLink implements CoordinatorLink {
  private current: LinkState = { kind: 'closed' };
  private socket: Socket<CoordinatorToSiteEvents, SiteRequests> | undefined;
  private redial: NodeJS.Timeout | undefined;
  private failures = 0;
  private everConnected = false;
  private duplicateSinceMs: number | undefined;
  /** What the next dial offers to a coordinator that knows no ranges, and what is spoken until a welcome says otherwise. */
  private offered: number = PROTOCOL_VERSION;
  private spoken: number = PROTOCOL_VERSION;
  private toldProtocol: number | undefined;
  private hasTriedOther = false;
  /** What the last dials in a row lacked, so that none is repeated at once without an end. */
  private readonly lacked = new Set<Lack>();
  private endKeeping = (): void => undefined;
  /** Counts dials: what an earlier one has waited for is of no interest any more. */
  private dials = 0;
  private readonly stateListeners: ((state: LinkState) => void)[] = [];
  private readonly nudgeListeners: (() => void)[] = [];

  constructor(private readonly options: SocketLinkOptions) {}

  get state(): LinkState {
    return this.current;
  }

  open(): void {
    if (this.current.kind !== 'closed') return;
    this.endKeeping = this.options.identity.keep();
    this.dial();
  }

  close(): void {
    clearTimeout(this.redial);
    this.endKeeping();
    this.hangUp();
    this.become({ kind: 'closed' });
  }

  onState(listener: (state: LinkState) => void): void {
    this.stateListeners.push(listener);
  }

  onNudge(listener: () => void): void {
    this.nudgeListeners.push(listener);
  }

  async sync(restsForMs?: number): Promise<Assignment | null> {
    const request: SyncRequest = this.spoken >= 2 && restsForMs !== undefined ? { restsForMs } : {};
    const { assignment } = parseWith(
      syncAnswerSchema,
      await this.request('site:sync', request),
      'MESSAGE_REFUSED',
      'the assignment',
    );
    // The identifier becomes a folder's name here: whatever the coordinator says, it must not point elsewhere.
    if (assignment?.kind === 'train') parseWith(nameField, assignment.participationId, 'MESSAGE_REFUSED', 'the participation');
    return assignment;
  }

  async accept(participationId: string): Promise<void> {
    await this.request('participation:accept', { participationId });
  }

  async decline(participationId: string, code: string): Promise<void> {
    await this.request('participation:decline', { participationId, code });
  }

  async fail(participationId: string, code: string): Promise<void> {
    await this.request('participation:fail', { participationId, code });
  }

  async progress(progress: Progress): Promise<void> {
    await this.request('participation:progress', progress);
  }

  async offer(offer: UpdateOffer): Promise<OfferAnswer> {
    const answer = await this.request('update:offer', this.spoken >= 2 ? offer : offerInProtocol1(offer));
    return parseWith(offerAnswerSchema, answer, 'MESSAGE_REFUSED', 'the answer to the offer');
  }

  async reportScore(report: ScoreReport): Promise<void> {
    await this.request('score:report', this.spoken >= 2 ? report : scoreReportInProtocol1(report));
  }

  private async request(name: SiteRequest, body: object): Promise<unknown> {
    const { socket } = this;
    if (socket === undefined || this.current.kind !== 'connected') throw unreachable('there is no connection');
    const raw: unknown = await socket
      .timeout(this.options.answerTimeoutMs ?? 15_000)
      .emitWithAck(name, body)
      .catch((cause: unknown) => {
        throw unreachable(`no answer to ${name} (${reasonOf(cause)})`);
      });
    const answer = parseWith(acknowledgementSchema, raw, 'MESSAGE_REFUSED', `the answer to ${name}`);
    this.failures = 0;
    this.duplicateSinceMs = undefined;
    if (answer.ok) return answer.value;
    throw FederationError.fromReport(answer.error);
  }

  private dial(): void {
    this.become({ kind: 'connecting' });
    const mine = ++this.dials;
    this.options.identity.handshake().then(
      (shown) => mine === this.dials && this.connect(shown),
      (thrown: unknown) => mine === this.dials && this.refused(FederationError.from(thrown)),
    );
  }

  private connect(shown: Pick<SiteHandshake, 'credential' | 'proof'>): void {
    const { coordinatorUrl, agentVersion, line = PLAIN_LINE } = this.options;
    const versions = { protocolVersion: this.offered, protocolVersions: { ...OUR_PROTOCOLS } };
    const auth: SiteHandshake = { ...versions, ...shown, agentVersion };
    const { origin, options } = socketAddress(coordinatorUrl, line);
    const manager = new Manager(origin, {
      ...options,
      reconnection: false,
      autoConnect: false,
      // Where a proxy blocks WebSocket, long polling takes over.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      timeout: 10_000,
    });
    const socket: Socket<CoordinatorToSiteEvents, SiteRequests> = manager.socket(SITE_NAMESPACE, { auth });
    this.socket = socket;
    socket.on('connect', () => {
      this.everConnected = true;
      this.hasTriedOther = false;
      this.lacked.clear();
      // Whoever accepts this number speaks it; one who knows ranges may have chosen another, which its welcome says.
      this.speak(this.offered);
      this.become({ kind: 'connected' });
    });
    socket.on('site:welcome', (welcome) => {
      const known = siteWelcomeSchema.safeParse(welcome);
      if (!known.success) return;
      this.offered = known.data.protocolVersion;
      this.speak(this.offered);
    });
    socket.on('site:nudge', () => this.nudgeListeners.forEach((listener) => listener()));
    socket.on('site:refused', (report) => this.refused(FederationError.fromReport(report)));
    socket.on('connect_error', (error) => {
      const report = refusalSchema.safeParse('data' in error ? error.data : undefined);
      if (report.success) this.refused(FederationError.fromReport(report.data));
      else this.wait(reasonOfConnectError(error));
    });
    socket.on('disconnect', (reason) => this.wait(reason));
    socket.connect();
  }

  private speak(version: number): void {
    this.spoken = version;
    if (version !== this.toldProtocol) this.options.onProtocol?.(version);
    this.toldProtocol = version;
  }

  private refused(error: FederationError): void {
    const other = protocolToTry(error, this.offered);
    if (other !== undefined && !this.hasTriedOther) {
      this.hasTriedOther = true;
      this.offered = other;
      this.hangUp();
      return this.dial();
    }
    if (this.isCured(error)) {
      this.hangUp();
      return this.dial();
    }
    if (error.retryable || !FINAL_REFUSALS.has(error.code) || this.mayBeOurOwn(error.code)) return this.wait(reasonIn(error));
    this.hangUp();
    this.become({ kind: 'refused', error: withRemedy(error) });
  }

  /** The next dial shows what this one lacked; once for each lack, then as after any failure. */
  private isCured({ code, details }: FederationError): boolean {
    const { identity } = this.options;
    const lack = CURABLE[code];
    if (typeof details['nonce'] === 'string') identity.heardNonce(details['nonce']);
    if (lack === undefined || !identity.cure(lack) || this.lacked.has(lack)) return false;
    this.lacked.add(lack);
    return true;
  }

  /** After a cut the coordinator may hold our own dead connection for a while: then "already connected" is no second agent. */
  private mayBeOurOwn(code: ErrorCode): boolean {
    if (code !== 'SITE_ALREADY_CONNECTED') return false;
    const grace = this.options.duplicateGraceMs ?? { first: 0, again: 90_000 };
    this.duplicateSinceMs ??= Date.now();
    return Date.now() - this.duplicateSinceMs < (this.everConnected ? grace.again : grace.first);
  }

  private wait(reason: string): void {
    if (this.current.kind !== 'connecting' && this.current.kind !== 'connected') return;
    this.hangUp();
    this.lacked.clear();
    const retryInMs = backoffDelayMs(
      this.failures++,
      (this.options.uniform ?? Math.random)(),
      this.options.backoff ?? DEFAULT_BACKOFF,
    );
    this.redial = setTimeout(() => this.dial(), retryInMs);
    this.become({ kind: 'waiting', retryInMs, reason });
  }

  private hangUp(): void {
    const { socket } = this;
    this.dials++;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.removeAllListeners();
    socket.disconnect();
  }

  private become(state: LinkState): void {
    this.current = state;
    for (const listener of this.stateListeners) listener(state);
  }
}

/** What the agent says of waiting: why the coordinator cannot be reached, else the code of its refusal. */
function reasonIn({ code, details }: FederationError): string {
  return typeof details['reason'] === 'string' ? details['reason'] : code;
}

function unreachable(why: string): FederationError {
  return new FederationError('COORDINATOR_UNREACHABLE', `the coordinator cannot be reached: ${why}`, {
    remedy: 'Nothing is lost; the agent tries again by itself.',
  });
}

function withRemedy(error: FederationError): FederationError {
  const remedies: Partial<Record<ErrorCode, string>> = {
    SITE_UNKNOWN: 'Ask the operator for a new token and run "site-agent join" with --force.',
    PROOF_REFUSED:
      'Put the key back that this site joined with, if its folder was copied; else ask the operator for a new token.',
    CREDENTIAL_REFUSED: 'The operator may have revoked this site; ask for a new token and run "site-agent join" with --force.',
    PROTOCOL_VERSION: 'Bring site agent and coordinator to the same release.',
    SITE_ALREADY_CONNECTED: 'Stop the other agent of this site, or give this one an identity of its own with "site-agent join".',
  };
  return new FederationError(error.code, error.message, { details: error.details, remedy: error.remedy ?? remedies[error.code] });
}
