import { digestOfBytes, FederationError, type Random } from '@consilium/shared/kernel';
import { partOfRound, type RoundPlan, stepsOfRound } from '@consilium/shared/wire';
import type {
  PretrainOrder,
  ScoreOrder,
  TrainerOrder,
  TrainerProgress,
  TrainerResult,
} from '../../../site-agent/src/trainer/trainer-messages.js';
import type { Trainer, TrainerHandle } from '../../../site-agent/src/trainer/trainer-process.js';
import type { Life } from './life.js';
import type { SiteDisk } from './site-disk.js';

export interface TrainerTemper {
  readonly stepMs: number;
  /** Share of orders during which the trainer dies. */
  readonly dies: number;
  /** Share of orders that diverge. */
  readonly diverges: number;
  /** Share of updates that are no good: they hold values that are not finite, or are ten times too large. */
  readonly spoils: number;
}

/** Flaws of an update that intake or screening must find. */
export const NOT_FINITE = 'not finite';
export const TOO_LARGE = 'too large';

/** Steps between two checkpoints: what a dead trainer loses at most. */
export const CHECKPOINT_STEPS = 4;
const REPORTS_PER_ROUND = 2;
const SCORE_MS = 500;

/** What a site's trainer would have made of this round: the same for the same site, plan and base, whenever and however often. */
export function updateBytes(siteName: string, plan: RoundPlan, flaw?: string): Buffer {
  const made = { siteName, base: plan.base.digest, roundNumber: plan.roundNumber, seed: plan.seed };
  const part = partOfRound(plan.objective, plan.roundNumber);
  return Buffer.from(JSON.stringify({ ...made, part: part === 'all' ? undefined : part, flaw }));
}

/** Patches that a site trains in a round: its weight. */
export function patchesOf(siteName: string, plan: RoundPlan): number {
  return stepsOfRound(plan) * (2 + (siteName.charCodeAt(siteName.length - 1) % 7));
}

/** A trainer that takes its time and computes nothing. Its checkpoints survive it; it dies with its agent. */
export class SimulatedTrainer implements Trainer {
  constructor(
    private readonly siteName: string,
    private readonly life: Life,
    private readonly random: Random,
    private readonly disk: SiteDisk,
    private readonly temper: TrainerTemper,
    /** Told of each step that was really computed. */
    private readonly onSteps: (participationId: string, steps: number) => void,
  ) {}

  start(order: TrainerOrder, onProgress: (progress: TrainerProgress) => void): TrainerHandle {
    this.life.requireAlive();
    const stop = new AbortController();
    const finished = this.carryOut(order, onProgress, stop.signal);
    finished.catch(() => undefined);
    return {
      pid: undefined,
      finished,
      stop: async () => {
        stop.abort();
        await finished.catch(() => undefined);
      },
    };
  }

  private carryOut(
    order: TrainerOrder,
    onProgress: (progress: TrainerProgress) => void,
    signal: AbortSignal,
  ): Promise<TrainerResult> {
    if (order.kind === 'pretrain') return this.pretrain(order, onProgress, signal);
    if (order.kind === 'score') return this.score(order, signal);
    throw new Error('the agent gives no such order');
  }

  private async pretrain(
    { participationId, plan, basePath }: PretrainOrder,
    onProgress: (progress: TrainerProgress) => void,
    signal: AbortSignal,
  ): Promise<TrainerResult> {
    const { life, random, disk, temper } = this;
    if (disk.versionAt(basePath) === undefined) throw new FederationError('NOT_FOUND', 'the base version is not here');
    const steps = stepsOfRound(plan);
    const diesAt = random.chance(temper.dies) ? random.integer(0, steps) : undefined;
    const diverges = random.chance(temper.diverges);
    const flaw = random.chance(temper.spoils) ? (random.chance(0.5) ? NOT_FINITE : TOO_LARGE) : undefined;
    const reportEvery = Math.max(1, Math.ceil(steps / REPORTS_PER_ROUND));
    let done = disk.checkpoints.get(participationId) ?? 0;
    while (done < steps) {
      const now = Math.min(CHECKPOINT_STEPS, steps - done);
      const trained = await this.stepsUntilStopped(now, signal);
      this.onSteps(participationId, trained);
      if (diesAt !== undefined && done + trained > diesAt) {
        throw new FederationError('TRAINER_DIED', 'killed', { retryable: true });
      }
      done += trained;
      life.writeNow('checkpoint', () => disk.checkpoints.set(participationId, done));
      if (signal.aborted) throw new FederationError('TRAINER_STOPPED', 'stopped');
      if (Math.floor(done / reportEvery) > Math.floor((done - trained) / reportEvery) && done < steps) {
        onProgress({ kind: 'progress', phase: 'training', step: done, steps, loss: 0.5 });
      }
    }
    if (diverges) throw new FederationError('TRAINING_DIVERGED', 'NaN');
    const content = updateBytes(this.siteName, plan, flaw);
    await life.write('update', 1, () => {
      disk.leftStates.add(participationId);
      disk.updates.set(participationId, content);
    });
    const report = {
      ...{ steps, patches: patchesOf(this.siteName, plan), meanLoss: 0.5, lastLoss: 0.4, trainingMs: steps * temper.stepMs },
      ...{ volumes: 3, baseScore: SCORE },
    };
    const digest = digestOfBytes(content);
    return { kind: 'pretrain', updatePath: participationId, digest, bytes: content.length, report };
  }

  /** A trainer that is asked to stop ends with the step in hand and says how many it has done. */
  private stepsUntilStopped(steps: number, signal: AbortSignal): Promise<number> {
    const { clock } = this.life;
    const { stepMs } = this.temper;
    const startedMs = clock.nowMs();
    return new Promise((resolve) => {
      const onStop = (): void => {
        cancel();
        const done = Math.min(steps, Math.ceil((clock.nowMs() - startedMs) / stepMs));
        clock.after(startedMs + done * stepMs - clock.nowMs(), () => resolve(done));
      };
      const cancel = clock.after(steps * stepMs, () => {
        signal.removeEventListener('abort', onStop);
        resolve(steps);
      });
      signal.addEventListener('abort', onStop, { once: true });
    });
  }

  private async score({ versionPath }: ScoreOrder, signal: AbortSignal): Promise<TrainerResult> {
    if (this.disk.versionAt(versionPath) === undefined) throw new FederationError('NOT_FOUND', 'the version is not here');
    await this.life.takes(SCORE_MS);
    if (signal.aborted) throw new FederationError('TRAINER_STOPPED', 'stopped');
    if (this.random.chance(this.temper.dies)) throw new FederationError('TRAINER_DIED', 'killed', { retryable: true });
    return { kind: 'score', score: SCORE };
  }
}

const SCORE = { restorationError: 0.1, constantError: 0.2, skill: 0.5, patches: 8 };
