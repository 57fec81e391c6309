import type { Digest, ErrorCode, ErrorReport } from '@consilium/shared/kernel';
import type { MedicalnetSpec } from '@consilium/shared/models';
import type { Monitors, ProbeScore, RoundPlan, ScorePlan, StepFigures, UpdateReport } from '@consilium/shared/wire';
import type { StepRecord } from '../engine/profile/operation-record.js';
import type { StepProfile } from '../engine/profile/step-profile.js';
import type { NativeKernels } from '../engine/runtime/runtime.js';
import type { LegacyCounts } from '../evaluation/metrics/legacy-genesis-iou.js';
import type { OverlapCounts } from '../evaluation/metrics/overlap.js';
import type { SurfaceDistances } from '../evaluation/metrics/surface-distance.js';
import type { CalibrationSums } from '../evaluation/metrics/voxel-calibration.js';
import type { CheckedCase } from '../finetuning/cases/checked-case.js';
import type { FinetuneOutcome } from '../finetuning/finetune-history.js';
import type { ImageToClassify } from '../finetuning/answers/image-to-classify.js';
import type { ImageToSegment } from '../finetuning/answers/image-to-segment.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import type { FinetunedSpec } from '../finetuning/model-blocks.js';
import type { WindowPlan } from '../finetuning/answers/window-plan.js';
import type { LabelledRecipe } from '../labelled-pretraining/labelled-recipe.js';
import type { PretrainingHistory, PretrainingOutcome } from '../labelled-pretraining/pretraining-history.js';
import type { PretrainHistory } from '../pretraining/pretrain-history.js';
import type { PretrainRecipe } from '../pretraining/pretrain-recipe.js';
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
  /** Volumes that do not lie in these folders with all their files are not seen; all are when left out. */
  readonly folders?: readonly string[] | undefined;
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

/** Pretraining by a recipe at this site alone. Repeating the order resumes from its checkpoint, or returns the finished result. */
export interface RecipeOrder {
  readonly kind: 'recipe';
  /** Whose collection is trained on. */
  readonly home: string;
  readonly limits: TrainerLimits;
  readonly recipe: PretrainRecipe;
  /** "scratch" or the absolute path of a model file. */
  readonly from: string;
  /** Gets the model, its history and, until then, the checkpoints. */
  readonly outputFolder: string;
}

export interface RecipeResult {
  readonly kind: 'recipe';
  readonly modelPath: string;
  /** With its outcome. */
  readonly history: PretrainHistory & { readonly outcome: NonNullable<PretrainHistory['outcome']> };
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
  /** Of a model with heads. */
  readonly monitors?: Monitors | undefined;
}

/** Fine-tuning on the site's own labels. Repeating the order resumes from its checkpoint, or returns the finished result. */
export interface FinetuneOrder {
  readonly kind: 'finetune';
  readonly limits: TrainerLimits;
  readonly task: FinetuneTask;
  /** Gets the model, its history and, until then, the checkpoints. */
  readonly outputFolder: string;
}

export interface FinetuneResult extends FinetuneOutcome {
  readonly kind: 'finetune';
  readonly modelPath: string;
  readonly historyPath: string;
  readonly spec: FinetunedSpec;
  /** The start model's digest, or "scratch". */
  readonly startedFrom: string;
  readonly loadedParameters: readonly string[];
  readonly freshParameters: readonly string[];
}

/** Reads every case of a task as training and scoring would, and trains nothing. */
export interface CheckOrder {
  readonly kind: 'check';
  readonly limits: TrainerLimits;
  readonly task: FinetuneTask;
}

export interface CheckResult {
  readonly kind: 'check';
  /** In the order of the task's lists. */
  readonly cases: readonly CheckedCase[];
}

/** Supervised pretraining over labelled collections; repeating the order resumes, or returns the finished result. */
export interface LabelledPretrainOrder {
  readonly kind: 'pretrain-labelled';
  readonly limits: TrainerLimits;
  readonly recipe: LabelledRecipe;
  /** Gets the encoder, the history and, until then, the checkpoints. */
  readonly outputFolder: string;
}

export interface LabelledPretrainResult extends PretrainingOutcome, Pick<PretrainingHistory, 'collections' | 'looks'> {
  readonly kind: 'pretrain-labelled';
  readonly modelPath: string;
  readonly historyPath: string;
  readonly spec: MedicalnetSpec;
  /** The start model's digest, or "scratch". */
  readonly startedFrom: string;
}

/** Segmentation of whole volumes with a fine-tuned model. */
export interface SegmentOrder {
  readonly kind: 'segment';
  readonly limits: TrainerLimits;
  /** One model, or several of the same task that answer together, as those of all folds. */
  readonly modelPaths: readonly string[];
  readonly images: readonly ImageToSegment[];
  /** Refuses images of a modality that no training image had, unless their choice says it. */
  readonly likeTrained?: boolean | undefined;
  /** The usual windows when left out. */
  readonly windows?: WindowPlan | undefined;
  /** Counts for the legacy "IoU" too, where labels are given. */
  readonly legacy?: boolean | undefined;
}

/** An image that cannot be used, and why. */
export interface RefusedAnswer {
  readonly name: string;
  readonly refused: { readonly code: ErrorCode; readonly message: string; readonly remedy?: string | undefined };
}

export type SegmentedImage =
  | {
      readonly name: string;
      readonly maskPath: string | undefined;
      /** Per class, where a label was given. */
      readonly counts: readonly OverlapCounts[] | undefined;
      readonly surfaces: readonly SurfaceDistances[] | undefined;
      readonly calibration: readonly (CalibrationSums | null)[] | undefined;
      /** Per class and threshold, where they were asked for. */
      readonly legacy: readonly (readonly LegacyCounts[])[] | undefined;
      /** Per class, where they were asked for. */
      readonly probabilityPaths: readonly string[] | undefined;
      /** Predicted voxels per class, and the volume of one voxel. */
      readonly foregroundVoxels: readonly number[];
      readonly voxelMm3: number;
    }
  | RefusedAnswer;

export interface SegmentResult {
  readonly kind: 'segment';
  readonly images: readonly SegmentedImage[];
}

/** Classification of whole images or patches of them with a fine-tuned model. */
export interface ClassifyOrder {
  readonly kind: 'classify';
  readonly limits: TrainerLimits;
  /** One model, or several of the same task that answer together, as those of all folds. */
  readonly modelPaths: readonly string[];
  readonly images: readonly ImageToClassify[];
  /** As in {@link SegmentOrder}. */
  readonly likeTrained?: boolean | undefined;
}

export type ClassifiedImage =
  | {
      readonly name: string;
      /** One per class of the model, in its order, with the sum 1; also of a model that has one output for two classes. */
      readonly probabilities: readonly number[];
    }
  | RefusedAnswer;

export interface ClassifyResult {
  readonly kind: 'classify';
  /** In the order of the order's images. */
  readonly images: readonly ClassifiedImage[];
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
export type TrainerOrder =
  | PretrainOrder
  | RecipeOrder
  | ScoreOrder
  | FinetuneOrder
  | CheckOrder
  | LabelledPretrainOrder
  | SegmentOrder
  | ClassifyOrder
  | ProfileOrder;
export type TrainerResult =
  | PretrainResult
  | RecipeResult
  | ScoreResult
  | FinetuneResult
  | CheckResult
  | LabelledPretrainResult
  | SegmentResult
  | ClassifyResult
  | ProfileResult;

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
