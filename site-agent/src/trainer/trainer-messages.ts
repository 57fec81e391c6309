import type { ErrorReport } from '@consilium/shared/kernel';
import type { ProbeScore, RoundPlan, ScorePlan, UpdateReport } from '@consilium/shared/wire';
import type { Digest } from '@consilium/shared/kernel';

/** Limits a site puts on its trainer process. */
export interface TrainerLimits {
  /** TensorFlow and batch threads; all cores when left out. */
  readonly threads?: number;
}

/** Local training of one round: base weights in, update file out. Repeating the order resumes from its checkpoint. */
export interface PretrainOrder {
  readonly kind: 'pretrain';
  readonly home: string;
  readonly limits: TrainerLimits;
  readonly participationId: string;
  readonly plan: RoundPlan;
  readonly basePath: string;
}

export interface PretrainResult {
  readonly kind: 'pretrain';
  /** The update (trained − base) as safetensors, in the participation's folder. */
  readonly updatePath: string;
  readonly digest: Digest;
  readonly bytes: number;
  readonly report: UpdateReport;
}

/** Scores one version on the site's frozen probe. */
export interface ScoreOrder {
  readonly kind: 'score';
  readonly home: string;
  readonly limits: TrainerLimits;
  readonly plan: ScorePlan;
  readonly versionPath: string;
}

export interface ScoreResult {
  readonly kind: 'score';
  readonly score: ProbeScore;
}

/** What the starting process sends to a trainer process: one order per process, then it ends. */
export type TrainerOrder = PretrainOrder | ScoreOrder;
export type TrainerResult = PretrainResult | ScoreResult;

export interface TrainerProgress {
  readonly kind: 'progress';
  readonly phase: string;
  readonly step: number;
  readonly steps: number;
  /** Mean loss since the last progress message, where the phase has one. */
  readonly loss?: number;
}

/** What a trainer process sends back. */
export type TrainerMessage =
  | TrainerProgress
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'result'; readonly result: TrainerResult }
  | { readonly kind: 'failed'; readonly error: ErrorReport; readonly remedy?: string };
