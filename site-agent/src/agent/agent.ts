import { FederationError, formatDuration } from '@consilium/shared/kernel';
import type { Assignment } from '@consilium/shared/wire';
import type { Hours } from '../config/site-hours.js';
import { type BackoffPlan, pause } from '../link/backoff.js';
import type { LinkState } from '../link/coordinator-link.js';
import { wasOffered } from '../egress/gate-rules.js';
import type { AgentPhase } from './agent-status.js';
import { FailureDesk } from './failure-desk.js';
import { HoursWatch } from './hours-watch.js';
import { demandsPrivacy, type PrivacyLimits, privacyRefusal } from './judge-privacy.js';
import { nextStep, type Situation, type Step, stepKey } from './next-step.js';
import { linesOfRefusal } from './refusal-words.js';
import { RetryPause } from './retry-pause.js';
import { type AgentParts, StepWork } from './step-work.js';

export interface AgentOptions {
  /** How often to ask for work when nobody nudges. */
  readonly syncEveryMs: number;
  readonly trainerRestarts: number;
  /** Usable volumes in the index, now; only those in the folders when some are named. */
  readonly countVolumes: (folders?: readonly string[]) => number;
  /** When this site trains; always when left out. */
  readonly hours?: Hours | undefined;
  /** What this site asks of plans; nothing when left out. */
  readonly privacy?: PrivacyLimits | undefined;
  /** Pauses before a failed step is tried again. */
  readonly retry?: BackoffPlan;
  /** Random numbers in [0, 1) for the jitter of those pauses. */
  readonly uniform?: () => number;
}

interface Underway {
  readonly step: Step;
  readonly key: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** After these steps the coordinator may have something new. */
const TELLING: ReadonlySet<Step['kind']> = new Set(['decline', 'fail', 'offer', 'report-score', 'abandon']);
const NO_WORK: ReadonlySet<Step['kind']> = new Set(['idle', 'wait', 'rest']);
const RETRY: BackoffPlan = { firstMs: 1000, capMs: 30_000, floorMs: 250 };
const NO_LIMITS: PrivacyLimits = { delta: 1e-5 };
const STOP_WITHIN_MS = 4500;
const REPEAT_AWAY_LINE_MS = 60_000;
const NOT_A_STEP = 'looking for the next step';

const PHASES: Readonly<Record<Step['kind'], AgentPhase>> = {
  idle: 'idle',
  wait: 'waiting',
  rest: 'resting',
  abandon: 'idle',
  'note-invitation': 'idle',
  accept: 'idle',
  decline: 'idle',
  fail: 'idle',
  download: 'downloading',
  train: 'preparing',
  upload: 'uploading',
  offer: 'uploading',
  score: 'scoring',
  'report-score': 'scoring',
};

/**
 * The site's control process: asks the coordinator what to do, looks at its journal, and does the one step that follows. It never
 * computes; the trainer does. Every event is only a reason to look again ({@link nextStep}), so losing or doubling one is harmless.
 */
export class Agent {
  private readonly work: StepWork;
  private readonly failures: FailureDesk;
  private readonly retryPause: RetryPause;
  private readonly hours: HoursWatch;
  private readonly limits: PrivacyLimits;
  private assignment: Assignment | null | undefined;
  private underway: Underway | undefined;
  private syncing = false;
  private syncAgain = false;
  private awayLineMs: number | undefined;
  private saidUnscored: string | undefined;
  private stopping = false;

  constructor(
    private readonly parts: AgentParts,
    private readonly options: AgentOptions,
  ) {
    this.limits = options.privacy ?? NO_LIMITS;
    this.work = new StepWork(parts, this.limits);
    this.failures = new FailureDesk(parts, this.work, options.trainerRestarts);
    this.retryPause = new RetryPause(options.retry ?? RETRY, parts.clock, options.uniform ?? Math.random, () => this.reconcile());
    this.hours = new HoursWatch(
      () => parts.policy.hours(options.hours),
      parts.clock,
      () => this.hoursChanged(),
    );
  }

  /**
   * Works until the signal is aborted, then stops trainer and link; nothing noted is lost. Rejects only with a refusal that
   * trying again does not cure, such as CREDENTIAL_REFUSED.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, link } = this.parts;
    link.onNudge(() => void this.sync());
    const endAsking = clock.every(this.options.syncEveryMs, () => void this.sync());
    this.hours.begin();
    try {
      await new Promise<void>((resolve, reject) => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve());
        link.onState((state) => {
          if (state.kind === 'refused') reject(state.error);
          this.linkChanged(state);
        });
        link.open();
        this.reconcile();
      });
    } catch (refusal) {
      this.parts.audit.note('credential-refused', { code: FederationError.from(refusal).code });
      throw refusal;
    } finally {
      endAsking();
      await this.shutDown();
    }
  }

  private async shutDown(): Promise<void> {
    this.stopping = true;
    this.retryPause.end();
    this.hours.end();
    this.parts.board.update({ phase: 'stopping' });
    this.underway?.stop.abort();
    const late = new AbortController();
    await Promise.race([this.underway?.done, pause(STOP_WITHIN_MS, late.signal, this.parts.clock)]);
    late.abort();
    this.parts.link.close();
  }

  private linkChanged(state: LinkState): void {
    const { board, log } = this.parts;
    const waiting = state.kind === 'waiting' ? state : undefined;
    board.update({ connection: state.kind, connectionReason: waiting?.reason ?? null, retryInMs: waiting?.retryInMs ?? null });
    if (this.stopping) return;
    if (state.kind === 'connected') {
      log.info(`connected to ${board.current.coordinatorUrl}`);
      this.awayLineMs = undefined;
      this.retryPause.end();
      void this.sync();
    } else if (waiting !== undefined) {
      this.sayAway(waiting.reason);
    }
    this.reconcile();
  }

  /** One line when the coordinator goes away and a reminder each minute, not one per attempt. */
  private sayAway(reason: string): void {
    const nowMs = this.parts.clock.nowMs();
    if (this.awayLineMs !== undefined && nowMs - this.awayLineMs < REPEAT_AWAY_LINE_MS) return;
    this.awayLineMs = nowMs;
    const goesOn = this.underway?.step.kind === 'train' ? '; training goes on' : '';
    this.parts.log.warn(`the coordinator is away (${reason}); trying again until it is back${goesOn}`);
  }

  private hoursChanged(): void {
    const restsForMs = this.hours.restsForMs();
    const inWords = restsForMs === undefined ? 'begin' : `are over: resting for ${formatDuration(restsForMs)}`;
    this.parts.log.info(`the hours of this site ${inWords}`);
    this.reconcile();
    void this.sync();
  }

  /** Asks what to do; asked while asking, it asks once more afterwards. */
  private async sync(): Promise<void> {
    const { link, board, clock, log } = this.parts;
    if (this.stopping || link.state.kind !== 'connected') return;
    if (this.syncing) {
      this.syncAgain = true;
      return;
    }
    this.syncing = true;
    try {
      this.assignment = await link.sync(this.hours.restsForMs());
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (!error.retryable) {
        board.update({ lastError: { code: error.code, message: error.message, atMs: clock.nowMs() } });
        log.warn(`asking for work: ${error.code}, ${error.message}`);
      }
    } finally {
      this.syncing = false;
    }
    this.sayUnscored();
    this.reconcile();
    if (!this.syncAgain) return;
    this.syncAgain = false;
    await this.sync();
  }

  /** Once for each version that the policy keeps from being scored: nothing else would tell why the site stays idle. */
  private sayUnscored(): void {
    const { log, policy } = this.parts;
    if (this.assignment?.kind !== 'score') return;
    const { plan } = this.assignment;
    const lines = linesOfRefusal(plan, policy.judge(plan));
    const key = lines.length === 0 ? undefined : `${plan.version.digest} ${lines.join()}`;
    if (key !== undefined && key !== this.saidUnscored) for (const line of lines) log.warn(line);
    this.saidUnscored = key;
  }

  /** Looks at the facts and sees to it that the step that follows from them, and no other, is under way. */
  private reconcile(): void {
    if (this.stopping) return;
    try {
      const step = nextStep(this.situation());
      const key = this.keyOf(step);
      if (this.underway !== undefined) {
        if (step.kind !== 'wait' && key !== this.underway.key) this.underway.stop.abort();
        return;
      }
      if (this.retryPause.holds(key) || this.retryPause.holds(NOT_A_STEP)) return;
      this.retryPause.end();
      this.show(step);
      if (!NO_WORK.has(step.kind)) this.begin(step, key);
    } catch (thrown) {
      this.parts.log.error(`${NOT_A_STEP}: ${FederationError.from(thrown).message}`);
      this.retryPause.begin(NOT_A_STEP);
    }
  }

  /** Computing under other limits is other work: it stops, and goes on under the present ones. */
  private keyOf(step: Step): string {
    const key = stepKey(step);
    if (step.kind !== 'train' && step.kind !== 'score') return key;
    const { campaignName } = step.kind === 'train' ? step.record.plan : step.plan;
    return `${key} ${JSON.stringify(this.parts.policy.limitsFor(campaignName, this.parts.limits))}`;
  }

  private situation(): Situation {
    const { audit, files, journal, link, policy } = this.parts;
    const { assignment } = this;
    const score = assignment?.kind === 'score' ? assignment.plan : undefined;
    const assigned = assignment?.kind === 'train' ? journal.participation(assignment.participationId) : undefined;
    const open = journal.openParticipation();
    return {
      connected: link.state.kind === 'connected',
      rests: this.hours.restsForMs() !== undefined,
      assignment,
      open,
      assignedIsClosed: assigned?.phase === 'closed',
      score: score === undefined ? undefined : journal.score(score.campaignId, score.version.digest),
      scoreGivenUp: score !== undefined && this.failures.hasGivenUp(score.version.digest),
      hasVersion: (digest) => files.hasVersion(digest),
      countVolumes: (campaignName) => this.options.countVolumes(policy.foldersFor(campaignName)),
      judge: (plan) => policy.judge(plan).kind,
      wasOffered: open?.update !== undefined && wasOffered(audit, open.plan, open.update),
      privacyRefusal: (plan) => privacyRefusal(plan, journal.privacy.records(), this.limits),
      keepsScores: demandsPrivacy(this.limits),
    };
  }

  private begin(step: Step, key: string): void {
    const stop = new AbortController();
    const done = this.attempt(step, key, stop.signal).finally(() => {
      this.underway = undefined;
      this.reconcile();
    });
    this.underway = { step, key, stop, done };
  }

  private async attempt(step: Step, key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.work.perform(step, signal);
      this.retryPause.forgetFailures();
      if (TELLING.has(step.kind)) void this.sync();
    } catch (thrown) {
      if (!signal.aborted) await this.settleFailure(step, key, FederationError.from(thrown));
    }
  }

  private async settleFailure(step: Step, key: string, error: FederationError): Promise<void> {
    try {
      const next = await this.failures.settle(step, error);
      if (next === 'pause') this.retryPause.begin(key);
      if (next === 'sync') void this.sync();
    } catch (thrown) {
      this.parts.log.error(`noting a failure: ${FederationError.from(thrown).message}`);
      this.retryPause.begin(key);
    }
  }

  private show(step: Step): void {
    const plan = step.kind === 'score' ? step.plan : this.parts.journal.openParticipation()?.plan;
    const round = plan !== undefined && 'roundNumber' in plan ? plan : undefined;
    const restsForMs = this.hours.restsForMs();
    this.parts.board.update({
      phase: PHASES[step.kind],
      restUntilMs: restsForMs === undefined ? null : this.parts.clock.nowMs() + restsForMs,
      campaign: plan?.campaignName ?? null,
      round: round?.roundNumber ?? null,
      rounds: round?.rounds ?? null,
      version: step.kind === 'score' ? step.plan.version.number : null,
    });
  }
}
