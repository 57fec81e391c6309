import { setTimeout as sleep } from 'node:timers/promises';
import { FederationError } from '@consilium/shared/kernel';
import { patchesPerStep, type ProbeScore, type UpdateReport } from '@consilium/shared/wire';
import { siteFolder } from '@consilium/site-agent/dist/config/site-folder.js';
import type {
  PretrainOrder,
  PretrainResult,
  TrainerOrder,
  TrainerProgress,
  TrainerResult,
} from '@consilium/site-agent/dist/trainer/trainer-messages.js';
import type { Trainer, TrainerHandle } from '@consilium/site-agent/dist/trainer/trainer-process.js';
import { prepareFolder, roundFolder } from '@consilium/site-agent/dist/training/round-folder.js';
import { writeLightUpdate } from './light-update.js';

/** How a light site behaves in place of training. */
export interface LightTraining {
  /** The site's number k: it adds 1e-3 + k·1e-5 to every weight, so that sums in another order would show. */
  readonly index: number;
  /** How long a round of training takes; asked again while it runs, so that a site can become slow in the middle. */
  readonly durationMs: () => number;
  /** Steps that the site does of the planned ones, at least one; all when left out. They are its weight in the average. */
  readonly stepsOf?: (planned: number) => number;
  /** A failure to report in place of an update. */
  readonly failureIn?: (roundNumber: number) => FederationError | undefined;
  /** Hears what a trainer would warn of. */
  readonly warn?: (text: string) => void;
}

/** Volumes that a light site claims to have. */
export const LIGHT_VOLUMES = 10;

/** Pieces that a round's time is cut into, for progress and for stopping. */
const SLICES = 20;

/** The number that site k adds to every weight. */
export function shiftOf(index: number): number {
  return 1e-3 + index * 1e-5;
}

/**
 * A trainer without TensorFlow, scans or a process of its own, for simulations and benchmarks: the update that it writes has the
 * real form and the real size, and is exactly known in advance.
 */
export class LightTrainer implements Trainer {
  constructor(private readonly training: LightTraining) {}

  start(order: TrainerOrder, onProgress: (progress: TrainerProgress) => void): TrainerHandle {
    const stopping = new AbortController();
    const finished = this.execute(order, onProgress, stopping.signal).catch((thrown: unknown) => {
      if (stopping.signal.aborted) throw new FederationError('TRAINER_STOPPED', 'the training was stopped');
      throw FederationError.from(thrown, 'TRAINER_DIED');
    });
    finished.catch(() => undefined); // whoever awaits it gets the error; nobody awaiting is no crash
    const stop = async (): Promise<void> => {
      stopping.abort();
      await finished.catch(() => undefined);
    };
    return { pid: process.pid, finished, stop };
  }

  private async execute(
    order: TrainerOrder,
    onProgress: (progress: TrainerProgress) => void,
    signal: AbortSignal,
  ): Promise<TrainerResult> {
    if (order.kind === 'score') return { kind: 'score', score: this.score(order.plan.probe.patches) };
    if (order.kind !== 'pretrain') throw new FederationError('INVARIANT', 'a light site only trains and scores');
    const { plan } = order;
    const failure = this.training.failureIn?.(plan.roundNumber);
    if (failure !== undefined) throw failure;
    const steps = this.stepsOf(plan.training.steps);
    const trainingMs = await this.passTime(steps, onProgress, signal);
    return this.deliver(order, steps, trainingMs, signal);
  }

  private async passTime(steps: number, onProgress: (progress: TrainerProgress) => void, signal: AbortSignal): Promise<number> {
    const startedMs = performance.now();
    for (let slice = 1; slice <= SLICES; slice++) {
      const sliceMs = this.training.durationMs() / SLICES;
      if (sliceMs <= 0) continue;
      await sleep(sliceMs, undefined, { signal });
      onProgress({ kind: 'progress', phase: 'training', step: Math.floor((steps * slice) / SLICES), steps, loss: 0.05 });
    }
    return performance.now() - startedMs;
  }

  private async deliver(order: PretrainOrder, steps: number, trainingMs: number, signal: AbortSignal): Promise<PretrainResult> {
    const { plan } = order;
    const folder = roundFolder(siteFolder(order.home).roundsFolder, order.participationId);
    await prepareFolder(folder.path);
    const patches = steps * patchesPerStep(plan.training);
    const { digest, bytes, figures } = await writeLightUpdate({
      order,
      folder,
      shift: shiftOf(this.training.index),
      steps,
      patches,
      warn: (text) => this.training.warn?.(text),
      signal,
    });
    const report: UpdateReport = {
      steps,
      patches,
      meanLoss: 0.05,
      lastLoss: 0.05,
      trainingMs: Math.round(trainingMs),
      waitedMs: 0,
      volumes: LIGHT_VOLUMES,
      baseScore: this.score(plan.probe.patches),
      ...figures,
    };
    return { kind: 'pretrain', updatePath: folder.updateFile, digest, bytes, report };
  }

  private stepsOf(planned: number): number {
    return Math.min(planned, Math.max(1, Math.floor(this.training.stepsOf?.(planned) ?? planned)));
  }

  /** Every version is worth the same to a site without scans. */
  private score(patches: number): ProbeScore {
    return { restorationError: 0.05, constantError: 0.1, skill: 0.5, patches };
  }
}
