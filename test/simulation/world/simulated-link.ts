import { type Cancel, type ErrorCode, FederationError, type Random } from '@consilium/shared/kernel';
import {
  type Acknowledgement,
  type Assignment,
  type OfferAnswer,
  OUR_PROTOCOLS,
  type Progress,
  PROTOCOL_VERSION,
  type ScoreReport,
  type UpdateOffer,
} from '@consilium/shared/wire';
import { backoffDelayMs } from '../../../site-agent/src/link/backoff.js';
import type { CoordinatorLink, LinkState } from '../../../site-agent/src/link/coordinator-link.js';
import type { Life } from './life.js';
import { SiteConnection, type SiteDoor } from './site-connection.js';
import type { SiteLine } from './site-line.js';

const VERSIONS = { protocolVersion: PROTOCOL_VERSION, protocolVersions: OUR_PROTOCOLS };
const ANSWER_TIMEOUT_MS = 15_000;
const DIAL_TIMEOUT_MS = 10_000;

/** Refusals after which only a human can help; the real link knows the same. */
const FINAL_REFUSALS: ReadonlySet<ErrorCode> = new Set(['SITE_UNKNOWN', 'CREDENTIAL_REFUSED', 'PROTOCOL_VERSION']);

export interface LinkParts {
  readonly life: Life;
  readonly line: SiteLine;
  readonly random: Random;
  readonly credential: string;
  /** The door of the coordinator that is up; undefined while there is none. */
  readonly door: () => SiteDoor | undefined;
  /** Told of each answer that the agent has heard. */
  readonly onAnswered: (request: string, body: object, value: unknown) => void;
}

/** The control plane of one agent in simulated time: dials, redials with growing pauses, and loses what the line loses. */
export class SimulatedLink implements CoordinatorLink {
  state: LinkState = { kind: 'closed' };
  private connection: SiteConnection | undefined;
  private failures = 0;
  private cancelRedial: Cancel = () => undefined;
  private unanswered = new Set<() => void>();
  private readonly stateListeners: ((state: LinkState) => void)[] = [];
  private readonly nudgeListeners: (() => void)[] = [];

  constructor(private readonly parts: LinkParts) {}

  open(): void {
    if (this.state.kind === 'closed') this.dial();
  }

  close(): void {
    this.cancelRedial();
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
    const { assignment } = (await this.request('site:sync', { restsForMs })) as { assignment: Assignment | null };
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
    return (await this.request('update:offer', offer)) as OfferAnswer;
  }

  async reportScore(report: ScoreReport): Promise<void> {
    await this.request('score:report', report);
  }

  private request(name: string, body: object): Promise<unknown> {
    const { life, onAnswered } = this.parts;
    const { connection } = this;
    return new Promise((resolve, reject) => {
      if (connection === undefined || this.state.kind !== 'connected') return reject(unreachable('there is no connection'));
      const settle = (then: () => void) => (): void => {
        cancel();
        this.unanswered.delete(lose);
        then();
      };
      const lose = settle(() => reject(unreachable(`no answer to ${name}`)));
      const cancel = life.clock.after(ANSWER_TIMEOUT_MS, lose);
      this.unanswered.add(lose);
      connection.request(name, body, (answer: Acknowledgement<unknown>) => {
        this.failures = 0;
        if (answer.ok) onAnswered(name, body, answer.value);
        settle(() => (answer.ok ? resolve(answer.value) : reject(FederationError.fromReport(answer.error))))();
      });
    });
  }

  private dial(): void {
    const { life, line, door, credential } = this.parts;
    this.become({ kind: 'connecting' });
    let made: SiteConnection | undefined;
    let isDecided = false;
    const decide = (then: () => void): void => {
      if (isDecided || life.isOver || this.state.kind !== 'connecting') return;
      isDecided = true;
      then();
      if (this.connection !== made) made?.hangUp();
    };
    life.clock.after(DIAL_TIMEOUT_MS, () => decide(() => this.wait('no answer')));
    line.bring(() => {
      // Whoever died while the first packet was on its way opens no connection.
      if (life.isOver) return;
      const open = door();
      if (open === undefined) return line.bring(() => decide(() => this.wait('ECONNREFUSED')));
      const auth = { ...VERSIONS, credential, agentVersion: '0.1.0' };
      const connection: SiteConnection = new SiteConnection(
        line,
        this.endOf(() => connection),
        open.life,
        auth,
      );
      made = connection;
      open.knock(connection, (refusal) =>
        line.bring(() =>
          decide(() => {
            if (refusal !== undefined) return this.refused(FederationError.fromReport(refusal));
            this.connection = connection;
            this.become({ kind: 'connected' });
          }),
        ),
      );
    });
  }

  private endOf(connection: () => SiteConnection) {
    return {
      life: this.parts.life,
      onEvent: (event: string, body: unknown) => {
        if (this.connection !== connection()) return;
        if (event === 'site:nudge') this.nudgeListeners.forEach((listener) => listener());
        if (event === 'site:refused') this.refused(FederationError.fromReport(body as { code: string; message: string }));
      },
      onClosed: (reason: string) => {
        if (this.connection === connection()) this.wait(reason);
      },
    };
  }

  private refused(error: FederationError): void {
    if (!FINAL_REFUSALS.has(error.code)) return this.wait(error.code);
    this.hangUp();
    this.become({ kind: 'refused', error });
  }

  private wait(reason: string): void {
    this.hangUp();
    const retryInMs = backoffDelayMs(this.failures++, this.parts.random.uniform());
    this.cancelRedial = this.parts.life.clock.after(retryInMs, () => this.dial());
    this.become({ kind: 'waiting', retryInMs, reason });
  }

  private hangUp(): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.hangUp();
    for (const lose of [...this.unanswered]) lose();
  }

  private become(state: LinkState): void {
    this.state = state;
    for (const listener of this.stateListeners) listener(state);
  }
}

function unreachable(why: string): FederationError {
  return new FederationError('COORDINATOR_UNREACHABLE', `the coordinator cannot be reached: ${why}`);
}
