import type { Digest, ErrorCode, ErrorReport } from '@consilium/shared/kernel';
import type { VoxelModelSpec } from '@consilium/shared/models';
import type { ProbeScore, RoundPlan, ScorePlan, StepFigures, UpdateReport } from '@consilium/shared/wire';
import type { StepRecord } from '../engine/profile/operation-record.js';
import type { StepProfile } from '../engine/profile/step-profile.js';
import type { NativeKernels } from '../engine/runtime/runtime.js';
import type { FinetuneOutcome } from '../finetuning/finetune-history.js';
import type { ImageToSegment } from '../finetuning/image-to-segment.js';
import type { OverlapCounts } from '../finetuning/metrics.js';
import type { SegmentationTask } from '../finetuning/segmentation-task.js';
import type { ProfiledTraining } from '../training/profiled-training.js';

/** Limits a site puts on its trainer process. */
export interface TrainerLimits {
  /** TensorFlow and batch threads; all cores when left out. */
  readonly threads?: number | undefined;
  /** What to compute on, as in the site's settings; `auto` when left out. */
  readonly device?: string | undefined;
  /** False switches TensorFloat-32 off on cards that have it. */
  readonly tf32?: boolean | undefined;
  /** What the process may come to in memory; what is free on the machine when left out. */
  readonly memoryBytes?: number | undefined;
  /** Space on disk that prepared volumes may take; no limit when left out. */
  readonly cacheBytes?: number | undefined;
}

/** Local training of one round: base weights in, update file out. Repeating the order resumes from its checkpoint. */
export interface PretrainOrder {
  readonly kind: 'pretrain';
  readonly home: string;
  readonly limits: TrainerLimits;
  readonly participationId: string;
  readonly plan: RoundPlan;
  readonly basePath: string;
  /** The mean of all sites' control variates, where the plan names one. */
  readonly controlPath?: string | undefined;
}

export interface PretrainResult {
  readonly kind: 'pretrain';
  /** The update (trained − base) as safetensors, in the participation's folder. */
  readonly updatePath: string;
  readonly digest: Digest;
  readonly bytes: number;
  readonly report: UpdateReport;
  /** The most memory that the process held; it never leaves the site. */
  readonly peakResidentBytes?: number | undefined;
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

/** Fine-tuning on the site's own labels. Repeating the order resumes from its checkpoint, or returns the finished result. */
export interface FinetuneOrder {
  readonly kind: 'finetune';
  readonly limits: TrainerLimits;
  readonly task: SegmentationTask;
  /** Gets the model, its history and, until then, the checkpoints. */
  readonly outputFolder: string;
}

export interface FinetuneResult extends FinetuneOutcome {
  readonly kind: 'finetune';
  readonly modelPath: string;
  readonly historyPath: string;
  readonly spec: VoxelModelSpec;
  /** The start model's digest, or "scratch". */
  readonly startedFrom: string;
  readonly loadedParameters: readonly string[];
  readonly freshParameters: readonly string[];
}

/** Segmentation of whole volumes with a fine-tuned model. */
export interface SegmentOrder {
  readonly kind: 'segment';
  readonly limits: TrainerLimits;
  readonly modelPath: string;
  readonly images: readonly ImageToSegment[];
}

export type SegmentedImage =
  | {
      readonly name: string;
      readonly maskPath: string | undefined;
      /** Per class, where a label was given. */
      readonly counts: readonly OverlapCounts[] | undefined;
      /** Predicted voxels per class, and the volume of one voxel. */
      readonly foregroundVoxels: readonly number[];
      readonly voxelMm3: number;
    }
  | { readonly name: string; readonly refused: { readonly code: ErrorCode; readonly message: string } };

export interface SegmentResult {
  readonly kind: 'segment';
  readonly images: readonly SegmentedImage[];
}

/** Real training steps on random patches, recorded call by call. */
export interface ProfileOrder {
  readonly kind: 'profile';
  readonly limits: TrainerLimits;
  readonly training: ProfiledTraining;
  /** Every call of every step comes back too: for a trace. */
  readonly keepRecords: boolean;
}

export interface ProfileResult {
  readonly kind: 'profile';
  /** As it was done: in the precision that the device allows. */
  readonly training: ProfiledTraining;
  readonly profile: StepProfile;
  readonly records?: readonly StepRecord[];
  /** Of the process, from its start. */
  readonly peakResidentBytes: number;
  readonly library: string;
  readonly onGpu: boolean;
  readonly nativeKernels: NativeKernels;
}

/** What the starting process sends to a trainer process: one order per process, then it ends. */
export type TrainerOrder = PretrainOrder | ScoreOrder | FinetuneOrder | SegmentOrder | ProfileOrder;
export type TrainerResult = PretrainResult | ScoreResult | FinetuneResult | SegmentResult | ProfileResult;

export interface TrainerProgress {
  readonly kind: 'progress';
  readonly phase: string;
  readonly step: number;
  readonly steps: number;
  /** Mean loss since the last progress message, where the phase has one. */
  readonly loss?: number;
  /** The share of the steps' time since the last progress message in which they waited for their batches. */
  readonly waitedShare?: number;
  /** Of the same steps, where the objective shows some. */
  readonly figures?: StepFigures;
}

/** What a trainer process sends back. */
export type TrainerMessage =
  | TrainerProgress
  | { readonly kind: 'announcement'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'result'; readonly result: TrainerResult }
  | { readonly kind: 'failed'; readonly error: ErrorReport; readonly remedy?: string };
