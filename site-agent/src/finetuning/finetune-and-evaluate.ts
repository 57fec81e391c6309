import { writeFileWhole } from '@consilium/shared/weights';
import type { Digest } from '@consilium/shared/kernel';
import type { FinetuningPart } from '@consilium/shared/wire';
import type {
  ClassifyOrder,
  ClassifyResult,
  FinetuneOrder,
  FinetuneResult,
  SegmentOrder,
  SegmentResult,
  TrainerLimits,
} from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import {
  type ClassificationReport,
  makeClassificationReport,
  writeClassificationReport,
} from '../evaluation/classification-report.js';
import { nameFiles } from '../evaluation/overlay/picture-files.js';
import { type EvaluationReport, makeReport, writeReport } from '../evaluation/segmentation-report.js';
import { writeFinetunedPassport } from '../versions/made-passports.js';
import { testCasesToClassify, testCasesToSegment } from './answers/test-cases.js';
import type { ClassificationTask } from './tasks/classification-task.js';
import { finetuneFolder, makeFolder } from './tasks/finetune-folder.js';
import { SCRATCH } from './tasks/finetune-case.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import type { SegmentationTask } from './tasks/segmentation-task.js';
import { keptReport, nameScoring } from './kept-report.js';
import { scratchTask } from './start-network.js';
import { describeTask } from './tasks/task-file.js';

/** Gives one order to a trainer process; `label` names it for people. */
export interface TrainerDesk {
  finetune(order: FinetuneOrder, label: string): Promise<FinetuneResult>;
  segment(order: SegmentOrder, label: string): Promise<SegmentResult>;
  classify(order: ClassifyOrder, label: string): Promise<ClassifyResult>;
}

export interface FinetunePlan {
  readonly task: FinetuneTask;
  readonly outputFolder: string;
  /** Also trains the same network on the same schedule from scratch, and reports both. */
  readonly compareScratch: boolean;
  /** Also draws the test cases of a segmentation, for a report. */
  readonly pictures?: boolean;
  readonly limits: TrainerLimits;
}

/** One trained model and what it reached. */
export interface TrainedModel {
  readonly startedFrom: string;
  readonly modelPath: string;
  readonly historyPath: string;
  readonly digest: Digest;
  readonly bytes: number;
  readonly steps: number;
  readonly stopped: 'steps' | 'early-stop';
  readonly bestStep: number;
  /** Of the weights that were kept; null for a task of another kind, and without validation cases. */
  readonly bestValidationDice: number | null;
  readonly bestValidationAuc: number | null;
  readonly bestValidationAccuracy: number | null;
  readonly trainingMs: number;
  /** The most memory that the training process held. */
  readonly peakResidentBytes: number | undefined;
  readonly loadedParameters: number;
  readonly freshParameters: readonly string[];
  /** On the test cases of a segmentation; null when the task lists none. */
  readonly test: EvaluationReport | null;
  /** The same of a classification. */
  readonly classified: ClassificationReport | null;
}

/** summary.json of a fine-tuning. */
export interface FinetuneSummary {
  readonly task: string;
  readonly kind: FinetuneTask['kind'];
  readonly classes: readonly string[];
  /** What images were resampled to; null for their own grids. */
  readonly spacingMm: readonly [number, number, number] | null;
  readonly cases: { readonly train: number; readonly validation: number; readonly test: number };
  readonly model: TrainedModel;
  readonly scratch: TrainedModel | null;
}

/** Fine-tunes, scores the held-out test cases and, where asked, does both from scratch too; all of it resumable. */
export async function finetuneAndEvaluate(
  plan: FinetunePlan,
  desk: TrainerDesk,
  label: string = plan.task.name,
): Promise<FinetuneSummary> {
  const { task, compareScratch } = plan;
  const folder = finetuneFolder(plan.outputFolder);
  const ownLabel = compareScratch ? `${label} from the model` : label;
  const { model, spec } = await trainModel(plan, task, folder.path, desk, ownLabel);
  let scratch: TrainedModel | null = null;
  if (compareScratch) {
    // The same network, whatever the task file says about the one for scratch runs.
    const other = { ...plan, pictures: false };
    scratch = (await trainModel(other, scratchTask(task, spec), folder.scratchFolder, desk, `${label} from scratch`)).model;
  }
  const { train, validation, test } = task.cases;
  const summary = {
    task: task.name,
    kind: task.kind,
    classes: task.classes.map(({ name }) => name),
    spacingMm: task.spacingMm ?? null,
    cases: { train: train.length, validation: validation.length, test: test.length },
    model,
    scratch,
  };
  await writeRecord(folder.summaryFile, summary);
  return summary;
}

async function trainModel(
  { limits, pictures }: FinetunePlan,
  task: FinetuneTask,
  outputFolder: string,
  desk: TrainerDesk,
  label: string,
): Promise<{ model: TrainedModel; spec: FinetuneResult['spec'] }> {
  const result = await desk.finetune({ kind: 'finetune', limits, task, outputFolder }, label);
  const folder = finetuneFolder(outputFolder);
  await writeFileWhole(folder.taskFile, [Buffer.from(describeTask(task))]);
  await writeFinetunedPassport({ path: result.modelPath, ...result }, partOf(task, result), startOf(task, result));
  const [test, classified] =
    task.kind === 'segmentation'
      ? [await evaluateModel(task, result, { outputFolder, limits, pictures }, desk), null]
      : [null, await evaluateClassifier(task, result, { outputFolder, limits }, desk)];
  return { model: { ...pick(result), test, classified }, spec: result.spec };
}

/** What the model's passport tells of this task. */
function partOf(task: FinetuneTask, { steps, bestStep, bestValidationDice }: FinetuneResult): FinetuningPart {
  const { train, validation, test } = task.cases;
  return {
    task: task.name,
    kind: task.kind,
    classes: task.classes.map(({ name }) => name),
    steps,
    bestStep,
    seed: task.training.seed,
    cases: { train: train.length, validation: validation.length, test: test.length },
    validationDice: bestValidationDice,
  };
}

function startOf({ start }: FinetuneTask, { startedFrom }: FinetuneResult) {
  return start.from === SCRATCH ? undefined : { path: start.from, digest: startedFrom };
}

function pick(result: FinetuneResult): Omit<TrainedModel, 'test' | 'classified'> {
  const { startedFrom, modelPath, historyPath, digest, bytes, steps, stopped, bestStep, bestValidationDice, trainingMs } = result;
  const { bestValidationAuc, bestValidationAccuracy, peakResidentBytes } = result;
  const parameters = { loadedParameters: result.loadedParameters.length, freshParameters: result.freshParameters };
  return {
    startedFrom,
    modelPath,
    historyPath,
    digest,
    bytes,
    steps,
    stopped,
    bestStep,
    bestValidationDice,
    bestValidationAuc,
    bestValidationAccuracy,
    trainingMs,
    peakResidentBytes,
    ...parameters,
  };
}

/**
 * Scores the task's test cases and writes results.json and results.csv, unless they stand there of the same model and cases; null when
 * there are none.
 */
async function evaluateModel(
  task: SegmentationTask,
  { modelPath, digest }: { readonly modelPath: string; readonly digest: Digest },
  { outputFolder, limits, pictures }: Pick<FinetunePlan, 'outputFolder' | 'limits' | 'pictures'>,
  desk: Pick<TrainerDesk, 'segment'>,
): Promise<EvaluationReport | null> {
  if (task.cases.test.length === 0) return null;
  const pictureFiles = pictures === true ? nameFiles(task.cases.test, outputFolder) : undefined;
  const scored = await nameScoring(task, digest);
  const kept = await keptReport<EvaluationReport>(outputFolder, scored, pictureFiles?.values());
  if (kept !== undefined) return kept;
  const images = testCasesToSegment(task, pictureFiles);
  const result = await desk.segment({ kind: 'segment', limits, modelPaths: [modelPath], images }, 'scoring test cases');
  const report = { ...makeReport(task, digest, result.images), ...(scored && { scored }) };
  await makeFolder(outputFolder);
  await writeReport(outputFolder, report);
  return report;
}

/** As {@link evaluateModel}, of a classification. */
async function evaluateClassifier(
  task: ClassificationTask,
  { modelPath, digest }: { readonly modelPath: string; readonly digest: Digest },
  { outputFolder, limits }: Pick<FinetunePlan, 'outputFolder' | 'limits'>,
  desk: Pick<TrainerDesk, 'classify'>,
): Promise<ClassificationReport | null> {
  if (task.cases.test.length === 0) return null;
  const scored = await nameScoring(task, digest);
  const kept = await keptReport<ClassificationReport>(outputFolder, scored);
  if (kept !== undefined) return kept;
  const images = testCasesToClassify(task);
  const result = await desk.classify({ kind: 'classify', limits, modelPaths: [modelPath], images }, 'scoring test cases');
  const report = { ...makeClassificationReport(task, digest, result.images), ...(scored && { scored }) };
  await makeFolder(outputFolder);
  await writeClassificationReport(outputFolder, report);
  return report;
}
