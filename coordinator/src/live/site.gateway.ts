import { type AlarmClock, FederationError } from '@consilium/shared/kernel';
import {
  agreeOnProtocol,
  type Assignment,
  emptySyncSchema,
  parseWith,
  participationEndSchema,
  participationFactSchema,
  progressSchema,
  protocolOfPlan,
  protocolsOf,
  receivedOfferSchema,
  scoreReportSchema,
  SITE_NAMESPACE,
  siteHandshakeSchema,
  type SiteWelcome,
  type SyncRequest,
  syncRequestSchema,
} from '@consilium/shared/wire';
import { Inject } from '@nestjs/common';
import { type OnGatewayInit, WebSocketGateway } from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { z } from 'zod';
import { SiteAccess } from '../access/site-access.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { Log } from '../log.js';
import { ScoreRecorder } from '../models/score-recorder.js';
import { CLOCK, CONFIG } from '../ports.js';
import { Assignments } from '../rounds/assignments.js';
import { ParticipationRecorder } from '../rounds/participation-recorder.js';
import { RoundConductor } from '../rounds/round-conductor.js';
import type { Site } from '../sites/site.entity.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { UpdateIntake } from '../updates/update-intake.js';
import { answerEvent } from './answer-event.js';
import { Presence } from './presence.js';

/** A code in a site's own words must look like a code: nothing else of the site's can hide in it. */
const endSchema = participationEndSchema.extend({
  code: z.string().regex(/^[A-Z][A-Z_]{1,63}$/, 'expected a code such as TRAINER_DIED'),
});

/** A site that was let in, and the protocol that it speaks on this connection. */
interface Admitted {
  readonly site: Site;
  readonly protocol: number;
  /** Of the credential that it showed; undefined for a bearer credential, which does not expire. */
  readonly expiresAtMs: number | undefined;
}

/** A timer's limit, and how soon a clock that was set is noticed. */
const LONGEST_WAIT_MS = 60_000;

/** Added to the heartbeat interval when a second connection asks whether the first is alive. */
const SIGN_OF_LIFE_MARGIN_MS = 1_500;

/** The sites' control plane: authenticate, keep one connection per site, hand messages on as facts. */
@WebSocketGateway({ namespace: SITE_NAMESPACE })
export class SiteGateway implements OnGatewayInit<Namespace> {
  private readonly log: Log;

  constructor(
    private readonly sites: SiteDirectory,
    private readonly access: SiteAccess,
    private readonly presence: Presence,
    private readonly assignments: Assignments,
    private readonly participations: ParticipationRecorder,
    private readonly intake: UpdateIntake,
    private readonly scores: ScoreRecorder,
    private readonly conductor: RoundConductor,
    log: Log,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: AlarmClock,
  ) {
    this.log = log.part('sites');
  }

  afterInit(namespace: Namespace): void {
    namespace.use((socket, next) => {
      this.admit(socket)
        .then(() => next())
        .catch((thrown: unknown) => next(asConnectError(thrown)));
    });
    namespace.on('connection', (socket) => this.welcome(socket));
  }

  private async admit(socket: Socket): Promise<void> {
    const handshake = parseWith(siteHandshakeSchema, socket.handshake.auth, 'MESSAGE_REFUSED', 'the handshake');
    const protocol = agreeOnProtocol(protocolsOf(handshake), 'site agent');
    const { site, expiresAtMs } = await this.access.admitConnection(handshake);
    const waitMs = this.config.heartbeatIntervalMs + SIGN_OF_LIFE_MARGIN_MS;
    if (await this.presence.isHeldByLiveAgent(site.id, waitMs)) throw this.alreadyConnected(site);
    await this.sites.noteConnected(site.id, handshake.agentVersion, protocol);
    admitted.set(socket, { site, protocol, expiresAtMs });
  }

  private welcome(socket: Socket): void {
    const caller = admitted.get(socket);
    if (caller === undefined) {
      socket.disconnect(true);
      return;
    }
    const { site, protocol } = caller;
    if (!this.presence.claim(site.id, socket)) {
      socket.emit('site:refused', this.alreadyConnected(site).toReport());
      socket.disconnect(true);
      return;
    }
    this.log.info(`site ${site.name} connected`, { site: site.name, siteId: site.id });
    socket.on('disconnect', (reason) => this.leave(site, socket, reason));
    if (caller.expiresAtMs !== undefined) this.closeAtLapse(socket, site, caller.expiresAtMs);
    this.listen(socket, caller);
    if (protocol >= 2) socket.emit('site:welcome', { protocolVersion: protocol } satisfies SiteWelcome);
    this.conductor.wake();
  }

  /** The connection stays open while the agent renews its credential beside it, and no longer. */
  private closeAtLapse(socket: Socket, site: Site, shownUntilMs: number): void {
    let cancel = (): void => undefined;
    const look = (): void => {
      const leftMs = Math.max(shownUntilMs, this.access.expiresAtMs(site.id)) - this.clock.nowMs();
      if (leftMs > 0) cancel = this.clock.after(Math.min(leftMs, LONGEST_WAIT_MS), look);
      else this.presence.refuse(site.id, lapsed());
    };
    look();
    socket.on('disconnect', () => cancel());
  }

  private leave(site: Site, socket: Socket, reason: string): void {
    this.presence.release(site.id, socket);
    this.log.info(`site ${site.name} disconnected (${reason})`, { site: site.name, siteId: site.id });
    this.sites.noteSeen(site.id).catch((error: unknown) => this.log.debug(String(error)));
    this.conductor.wake();
  }

  private listen(socket: Socket, caller: Admitted): void {
    const { site, protocol } = caller;
    const on = <Message, Value>(event: string, schema: z.ZodType<Message>, handle: (message: Message) => Promise<Value>) =>
      answerEvent(socket, this.log, event, schema, handle);
    const record = (participationId: string, to: 'accepted' | 'declined' | 'failed', code?: string) =>
      this.participations.record(site, participationId, { to, code }).then(() => null);
    on<SyncRequest, unknown>('site:sync', protocol >= 2 ? syncRequestSchema : emptySyncSchema, async ({ restsForMs }) => {
      if (await this.sites.noteRest(site.id, restsForMs)) this.conductor.wake();
      return { assignment: await this.assignmentFor(caller) };
    });
    on('participation:accept', participationFactSchema, ({ participationId }) => record(participationId, 'accepted'));
    on('participation:decline', endSchema, ({ participationId, code }) => record(participationId, 'declined', code));
    on('participation:fail', endSchema, ({ participationId, code }) => record(participationId, 'failed', code));
    on('participation:progress', progressSchema, (progress) =>
      this.participations.recordProgress(site, progress).then(() => null),
    );
    on('update:offer', receivedOfferSchema, async (offer) => {
      const { outcome, auditHead } = await this.intake.offer(site, offer);
      return protocol >= 2 && auditHead !== undefined ? { outcome, auditHead } : { outcome };
    });
    on('score:report', scoreReportSchema, async (report) => {
      await this.scores.record(site, report);
      this.conductor.wake();
      return null;
    });
  }

  /** A part that this site's protocol cannot carry is declined for it, so that the round does not wait for an answer. */
  private async assignmentFor({ site, protocol }: Admitted): Promise<Assignment | null> {
    for (;;) {
      const assignment = await this.assignments.current(site.id, protocol);
      if (assignment?.kind !== 'train' || protocolOfPlan(assignment.plan) <= protocol) return assignment;
      const declined = { to: 'declined', code: 'PROTOCOL_VERSION' } as const;
      if (!(await this.participations.record(site, assignment.participationId, declined))) return null;
    }
  }

  private alreadyConnected(site: Site): FederationError {
    return new FederationError('SITE_ALREADY_CONNECTED', `another agent is connected as ${site.name}`, {
      remedy: 'Stop the other agent; if you did not start it, have the operator revoke the site.',
    });
  }
}

const admitted = new WeakMap<Socket, Admitted>();

function lapsed(): FederationError {
  return new FederationError('CREDENTIAL_EXPIRED', 'the site has let its credential expire', {
    retryable: true,
    remedy: 'The agent asks for a new one by itself, signed with its key.',
  });
}

// socket.io hands `data` of a middleware error over with the "connect_error" event.
function asConnectError(thrown: unknown): Error {
  const report = FederationError.from(thrown).toReport();
  return Object.assign(new Error(report.message), { data: report });
}
