import {
  type AlarmClock,
  type Digest,
  digestOfJson,
  FederationError,
  formatBytes,
  formatDuration,
  invariant,
  shortDigest,
} from '@consilium/shared/kernel';
import {
  describeMonitors,
  describeRound,
  describeSkill,
  noteOfHead,
  partOfRound,
  type Progress,
  progressUnder,
  reportUnder,
  type RoundPlan,
  roundPlaceView,
  stepsOfRound,
} from '@consilium/shared/wire';
import type { SiteAudit } from '../audit/site-audit.js';
import { aboutRound } from '../egress/gate-rules.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import type { Log } from '@consilium/shared/terminal';
import type { TrainerLimits, TrainerOrder, TrainerProgress, TrainerResult } from '../trainer/trainer-messages.js';
import type { PolicyDesk } from '../policy/policy-desk.js';
import type { Trainer } from '../trainer/trainer-process.js';
import type { AgentJournal } from './agent-journal.js';
import { AGENT_PHASES, type AgentPhase, type StatusBoard } from './agent-status.js';
import type { PrivacyLimits } from './judge-privacy.js';
import { makeByDelta } from './make-by-delta.js';
import { controlOf, type Step } from './next-step.js';
import { notePrivacy } from './note-privacy.js';
import { linesOfRefusal } from './refusal-words.js';
import { describeTrained } from './round-words.js';
import type { SiteFiles } from './site-files.js';
import { sweepFolders } from './sweep-folders.js';
import type { TransferHooks, WeightTransfer } from './weight-transfer.js';

/** What an agent is made of; ports first. */
export interface AgentParts {
  readonly link: CoordinatorLink;
  readonly transfer: WeightTransfer;
  readonly trainer: Trainer;
  readonly clock: AlarmClock;
  readonly journal: AgentJournal;
  /** The site's own log of what was asked of it and what has left. */
  readonly audit: SiteAudit;
  /** The site's own rules: they outrank every plan. */
  readonly policy: PolicyDesk;
  readonly files: SiteFiles;
  readonly limits: TrainerLimits;
  readonly board: StatusBoard;
  readonly log: Log;
}

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;
const REPORT_PROGRESS_MS = 1000;

/** Carries out steps and notes in the journal what has come of them. An aborted step notes nothing that is not true. */
export class StepWork {
  private reportedMs = 0;
  private begunMs = 0;

  constructor(
    private readonly parts: AgentParts,
    private readonly privacyLimits: PrivacyLimits,
  ) {}

  async perform(step: Step, signal: AbortSignal): Promise<void> {
    const { link, journal } = this.parts;
    this.begunMs = this.parts.clock.nowMs();
    switch (step.kind) {
      case 'idle':
      case 'wait':
      case 'rest':
        return;
      case 'note-invitation':
        return this.noteInvitation(step);
      case 'abandon':
        return this.abandon(step);
      case 'accept':
        await link.accept(step.participationId);
        return journal.change(step.participationId, { phase: 'accepted' });
      case 'decline':
        this.sayRefusal(step);
        await link.decline(step.participationId, step.code);
        return this.end(step.participationId, step.code);
      case 'fail':
        this.sayRefusal(step);
        await link.fail(step.participationId, step.code);
        return this.end(step.participationId, step.code);
      case 'download':
        return this.download(step, signal);
      case 'train':
        return this.train(step, signal);
      case 'upload':
        return this.upload(step, signal);
      case 'offer':
        return this.offer(step);
      case 'score':
        return this.score(step, signal);
      case 'report-score':
        return this.reportScore(step);
    }
  }

  /** Closes a participation and gives its disk space back. */
  async end(participationId: string, code?: string): Promise<void> {
    const { files, journal } = this.parts;
    const plan = journal.participation(participationId)?.plan;
    if (plan !== undefined && code !== undefined) this.noteEnd(plan, code);
    // Files that only this round needed; a kill may have left the delta.
    for (const file of [plan && controlOf(plan), plan?.baseDelta]) if (file !== undefined) await files.dropVersion(file.digest);
    journal.closeParticipation(participationId, code);
    await files.dropRound(participationId);
  }

  /** What the site itself told of the end is in its log already. */
  private noteEnd(plan: RoundPlan, code: string): void {
    const { audit } = this.parts;
    const end = { ...aboutRound(plan), code };
    if (!audit.isNoted('declined', end) && !audit.isNoted('failed', end)) audit.note('round-over', end);
  }

  /** The coordinator is told the code alone; the reason stays here. */
  private sayRefusal({ participationId, code }: StepOf<'decline' | 'fail'>): void {
    const { journal, log, policy } = this.parts;
    const plan = journal.participation(participationId)?.plan;
    if (code !== 'POLICY_REFUSED' || plan === undefined) return;
    for (const line of linesOfRefusal(plan, policy.judge(plan))) log.warn(line);
  }

  private noteInvitation({ assignment: { participationId, plan, planDigest, remainingMs } }: StepOf<'note-invitation'>): void {
    this.parts.audit.note('invited', { ...aboutRound(plan), plan: digestOfContent(plan) });
    this.parts.journal.invite(participationId, plan, planDigest);
    this.parts.board.update({ recentLosses: [], loss: null, step: 0, steps: stepsOfRound(plan) });
    const left = formatDuration(remainingMs);
    const place = roundPlaceView(plan, plan.roundNumber);
    const round = place === undefined ? `round ${plan.roundNumber} of ${plan.rounds}` : describeRound(plan.roundNumber, place);
    this.parts.log.info(`${plan.campaignName}, ${round}: invited, ${left} left`);
  }

  private async abandon({ participationId }: StepOf<'abandon'>): Promise<void> {
    const record = this.parts.journal.participation(participationId);
    await this.end(participationId, 'ROUND_CLOSED');
    if (record !== undefined) this.parts.log.warn(`round ${record.plan.roundNumber} is over: its work here is dropped`);
  }

  private async download(
    { version, isControl, campaignName, participationId, delta }: StepOf<'download'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, files, journal, log, transfer } = this.parts;
    const hooks = this.hooks('downloading', participationId, 'download', signal);
    const isMade = delta !== undefined && (await makeByDelta(this.parts, { version, delta }, hooks));
    if (!isMade) await transfer.fetchVersion(version, files.versionPath(version.digest), hooks);
    if (isControl === true) return log.info(`the control variates are here (${formatBytes(version.bytes)})`);
    journal.noteVersion(campaignName, version, clock.nowMs());
    await sweepFolders(files, journal);
    const size = isMade ? `${formatBytes(delta.bytes)} fetched, ${formatBytes(version.bytes)}` : formatBytes(version.bytes);
    log.info(`model version ${version.number} is here (${shortDigest(version.digest)}, ${size})`);
  }

  private async train({ record }: StepOf<'train'>, signal: AbortSignal): Promise<void> {
    const { files, journal, log, policy } = this.parts;
    const { participationId, plan } = record;
    const limits = policy.limitsFor(plan.campaignName, this.parts.limits);
    const { minutes } = plan.training;
    const steps = stepsOfRound(plan);
    const isGradient = partOfRound(plan.objective, plan.roundNumber) === 'adversary';
    const budget = minutes === undefined ? '' : `, for ${formatDuration(60_000 * minutes)} at most`;
    const work = isGradient ? `the adversary’s gradient on ${steps} patches` : `training ${steps} steps`;
    log.info(`round ${plan.roundNumber}: ${work}${budget}`);
    const basePath = files.versionPath(plan.base.digest);
    const control = controlOf(plan);
    const controlPath = control && files.versionPath(control.digest);
    const order = { kind: 'pretrain', home: files.home, limits, participationId, plan, basePath, controlPath } as const;
    const result = await this.compute(order, signal, (progress) => {
      const isTraining = progress.phase === 'training';
      const step = isTraining ? progress.step : 0;
      const { loss, figures } = progress;
      const share = Math.min(1, step / steps);
      this.report(progressUnder(plan, { participationId, phase: 'training', step, steps, loss, figures, share }));
    });
    invariant(result.kind === 'pretrain', 'the trainer answered another order');
    const { updatePath: path, digest, bytes } = result;
    notePrivacy(this.parts, record, digest, this.privacyLimits); // before a byte of it leaves
    const report = reportUnder(plan, result.report);
    journal.change(participationId, { phase: 'trained', update: { path, digest, bytes, report } });
    log.info(describeTrained(plan, result));
  }

  private async upload({ record, update }: StepOf<'upload'>, signal: AbortSignal): Promise<void> {
    const { journal, transfer } = this.parts;
    const { participationId, uploadId } = record;
    const sent = await transfer.sendUpdate(
      {
        participationId,
        path: update.path,
        digest: update.digest,
        uploadId,
        onCreated: (created) => journal.change(participationId, { uploadId: created }),
      },
      this.hooks('uploading', participationId, 'upload', signal),
    );
    journal.change(participationId, { phase: 'uploaded', uploadId: sent });
  }

  private async offer({ record, update, uploadId }: StepOf<'offer'>): Promise<void> {
    const { audit, board, files, link, log } = this.parts;
    const { participationId, plan } = record;
    const { digest, report, bytes } = update;
    const { outcome, auditHead } = await link.offer({ participationId, uploadId, digest, baseDigest: plan.base.digest, report });
    const theirs = auditHead === undefined ? {} : noteOfHead('coordinator', auditHead);
    audit.note('update-delivered', { ...aboutRound(plan), update: digest, ...theirs });
    await files.keepCampaignState(participationId, plan.campaignId);
    await this.end(participationId);
    board.update({ deliveredUpdates: board.current.deliveredUpdates + 1 });
    const again = outcome === 'already-accepted' ? ' before' : '';
    log.info(`round ${plan.roundNumber}: update delivered${again} (${formatBytes(bytes)}, ${shortDigest(digest)})`);
  }

  private async score({ plan }: StepOf<'score'>, signal: AbortSignal): Promise<void> {
    const { files, journal, policy } = this.parts;
    const limits = policy.limitsFor(plan.campaignName, this.parts.limits);
    const versionPath = files.versionPath(plan.version.digest);
    const order = { kind: 'score', home: files.home, limits, plan, versionPath } as const;
    const result = await this.compute(order, signal, () => undefined);
    invariant(result.kind === 'score', 'the trainer answered another order');
    journal.noteScore(plan, result);
  }

  private async reportScore({ record: { plan, score, monitors } }: StepOf<'report-score'>): Promise<void> {
    const { journal, link, log } = this.parts;
    if (score === undefined) return;
    const seen = { score, ...(monitors === undefined ? {} : { monitors }) };
    await link.reportScore({ campaignId: plan.campaignId, versionDigest: plan.version.digest, ...seen });
    const figures = monitors === undefined ? '' : `; ${describeMonitors(monitors)}`;
    journal.noteScoreReported(plan.campaignId, plan.version.digest);
    log.info(`${plan.campaignName}: version ${plan.version.number} scored, skill ${describeSkill(score)}${figures}`);
  }

  /** Runs the trainer until it ends; an abort stops it first and rejects with TRAINER_STOPPED. */
  private async compute(
    order: TrainerOrder,
    signal: AbortSignal,
    onProgress: (progress: TrainerProgress) => void,
  ): Promise<TrainerResult> {
    const { board, trainer } = this.parts;
    signal.throwIfAborted();
    const handle = trainer.start(order, (progress) => {
      const { phase, step, steps, loss, waitedShare } = progress;
      board.progress(phaseOf(phase), step, steps, loss, waitedShare);
      onProgress(progress);
    });
    board.update({ trainerPid: handle.pid ?? null });
    const stop = (): void => void handle.stop();
    signal.addEventListener('abort', stop);
    try {
      const result = await handle.finished;
      signal.throwIfAborted();
      return result;
    } finally {
      signal.removeEventListener('abort', stop);
      board.update({ trainerPid: null });
    }
  }

  private hooks(
    phase: 'downloading' | 'uploading',
    participationId: string | undefined,
    what: string,
    signal: AbortSignal,
  ): TransferHooks {
    const { journal, log } = this.parts;
    const steps = participationId === undefined ? undefined : journal.participation(participationId)?.plan.training.steps;
    return {
      signal,
      onProgress: (bytes, total) => {
        if (participationId === undefined || steps === undefined) return;
        const step = phase === 'uploading' ? steps : 0;
        this.report({ participationId, phase, step, steps, share: total === 0 ? 1 : Math.min(1, bytes / total) });
      },
      onWait: (error, retryInMs) => log.warn(`${what} interrupted (${error.code}), trying again in ${formatDuration(retryInMs)}`),
    };
  }

  /** Tells the coordinator now and then, of steps that take long enough to be watched; a lost report is no loss. */
  private report(progress: Progress): void {
    const nowMs = this.parts.clock.nowMs();
    const isLast = progress.share >= 1;
    if (this.parts.link.state.kind !== 'connected' || nowMs - this.begunMs < REPORT_PROGRESS_MS) return;
    if (!isLast && nowMs - this.reportedMs < REPORT_PROGRESS_MS) return;
    this.reportedMs = nowMs;
    this.parts.link.progress(progress).catch((error: unknown) => {
      this.parts.log.debug(`progress not reported: ${FederationError.from(error).code}`);
    });
  }
}

function phaseOf(trainerPhase: string): AgentPhase {
  return AGENT_PHASES.find((phase) => phase === trainerPhase) ?? 'preparing';
}

/** Names what is asked for, without the identifiers that the coordinator draws: the same request has the same name everywhere. */
function digestOfContent(plan: RoundPlan): Digest {
  return digestOfJson({ ...plan, campaignId: undefined, roundId: undefined });
}
