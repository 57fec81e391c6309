import type { Digest, FederationError } from '@consilium/shared/kernel';
import { type Consequence, consequenceOf } from './consequence-of.js';
import { controlOf, type Step, stepKey } from './next-step.js';
import type { AgentParts, StepWork } from './step-work.js';

/** What the main loop does after a failure was noted. */
export type AfterFailure = 'pause' | 'look-again' | 'sync';

/** Turns a failed step into facts in the journal, by the table of {@link consequenceOf}. */
export class FailureDesk {
  private readonly scoreFailures = new Map<string, number>();
  private readonly scoresGivenUp = new Set<Digest>();
  private readonly lostUploads = new Map<string, number>();

  constructor(
    private readonly parts: AgentParts,
    private readonly work: StepWork,
    private readonly trainerRestarts: number,
  ) {}

  /** True when scoring this version failed too often since the agent started. */
  hasGivenUp(version: Digest): boolean {
    return this.scoresGivenUp.has(version);
  }

  async settle(step: Step, error: FederationError): Promise<AfterFailure> {
    const participationId = participationOf(step);
    const record = participationId === undefined ? undefined : this.parts.journal.participation(participationId);
    const trainerFailures = record?.trainerFailures ?? this.scoreFailures.get(stepKey(step)) ?? 0;
    const lostUploads = this.lostUploads.get(participationId ?? '') ?? 0;
    const counts = { trainerFailures, lostUploads, trainerRestarts: this.trainerRestarts };
    const consequence = consequenceOf(step.kind, error, counts);
    this.report(step, error, consequence);
    if (consequence === 'try-again') return 'pause';
    if (consequence === 'fetch-again') await this.dropVersion(step);
    if (participationId === undefined) return this.settleScore(step, consequence, trainerFailures);
    return this.settleParticipation(participationId, consequence, error, counts);
  }

  private async settleParticipation(
    participationId: string,
    consequence: Consequence,
    error: FederationError,
    { trainerFailures, lostUploads }: { trainerFailures: number; lostUploads: number },
  ): Promise<AfterFailure> {
    const { journal } = this.parts;
    switch (consequence) {
      case 'train-again':
      case 'fetch-again':
        journal.change(participationId, {
          phase: 'accepted',
          trainerFailures: trainerFailures + 1,
          update: undefined,
          uploadId: undefined,
        });
        return 'look-again';
      case 'upload-again':
        this.lostUploads.set(participationId, lostUploads + 1);
        // An incomplete upload is continued; an altered one must be made anew.
        journal.change(participationId, {
          phase: 'trained',
          ...(error.code === 'DIGEST_MISMATCH' ? { uploadId: undefined } : {}),
        });
        return 'look-again';
      case 'abandon':
      case 'close':
        await this.work.end(participationId, error.code);
        return 'sync';
      case 'report-failure':
      case 'give-up-score':
        journal.change(participationId, { phase: 'failing', code: error.code });
        return 'look-again';
      case 'try-again':
        return 'pause';
    }
  }

  private settleScore(step: Step, consequence: Consequence, failures: number): AfterFailure {
    if (consequence === 'train-again' || consequence === 'fetch-again') {
      this.scoreFailures.set(stepKey(step), failures + 1);
      return 'look-again';
    }
    const version = versionOf(step);
    if (version !== undefined) this.scoresGivenUp.add(version);
    return 'look-again';
  }

  private async dropVersion(step: Step): Promise<void> {
    const version = versionOf(step);
    if (version === undefined) return;
    this.parts.journal.forgetVersion(version);
    // Either file may be the damaged one.
    const control = step.kind === 'train' ? controlOf(step.record.plan)?.digest : undefined;
    for (const damaged of control === undefined ? [version] : [version, control]) await this.parts.files.dropVersion(damaged);
  }

  private report(step: Step, error: FederationError, consequence: Consequence): void {
    const { board, clock, log } = this.parts;
    // The link itself says when the coordinator is away.
    if (error.code === 'COORDINATOR_UNREACHABLE' && consequence === 'try-again') return;
    const lastError = { code: error.code, message: error.message, atMs: clock.nowMs() };
    board.update({ lastError });
    const remedy = error.remedy === undefined ? '' : ` ${error.remedy}`;
    log.warn(`${NAMES[step.kind]}: ${error.code}, ${error.message}; ${OUTCOMES[consequence]}.${remedy}`);
  }
}

const NAMES: Readonly<Record<Step['kind'], string>> = {
  idle: 'nothing',
  wait: 'waiting',
  rest: 'resting',
  abandon: 'dropping a closed round',
  'note-invitation': 'noting the invitation',
  accept: 'accepting the invitation',
  decline: 'declining the invitation',
  fail: 'reporting the failure',
  download: 'fetching the model version',
  train: 'training',
  upload: 'sending the update',
  offer: 'offering the update',
  score: 'scoring',
  'report-score': 'reporting the score',
};

const OUTCOMES: Readonly<Record<Consequence, string>> = {
  'try-again': 'trying again soon',
  'train-again': 'the trainer starts again from its checkpoint',
  'fetch-again': 'the model version is fetched again',
  'upload-again': 'the update is sent again',
  abandon: 'the round is over here',
  'report-failure': 'this site gives the round up and tells the coordinator',
  close: 'the coordinator refused it, the round is over here',
  'give-up-score': 'this version is not scored here',
};

function participationOf(step: Step): string | undefined {
  if ('record' in step) return 'participationId' in step.record ? step.record.participationId : undefined;
  if (step.kind === 'note-invitation') return step.assignment.participationId;
  return 'participationId' in step ? step.participationId : undefined;
}

function versionOf(step: Step): Digest | undefined {
  if (step.kind === 'download') return step.version.digest;
  if (step.kind === 'train') return step.record.plan.base.digest;
  if (step.kind === 'score') return step.plan.version.digest;
  return step.kind === 'report-score' ? step.record.plan.version.digest : undefined;
}
