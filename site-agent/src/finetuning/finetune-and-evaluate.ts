import { writeFileWhole } from '@consilium/shared/weights';
import type { Digest } from '@consilium/shared/kernel';
import { modelChoiceOf } from '@consilium/shared/models';
import type { FinetuneOrder, FinetuneResult, SegmentOrder, SegmentResult, TrainerLimits } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { finetuneFolder, makeFolder } from './finetune-folder.js';
import { type EvaluationReport, makeReport, writeReport } from '../evaluation/segmentation-report.js';
import type { SegmentationTask } from './segmentation-task.js';
import { describeTask, SCRATCH } from './task-file.js';

/** Gives one order to a trainer process; `label` names it for people. */
export interface TrainerDesk {
  finetune(order: FinetuneOrder, label: string): Promise<FinetuneResult>;
  segment(order: SegmentOrder, label: string): Promise<SegmentResult>;
}

export interface FinetunePlan {
  readonly task: SegmentationTask;
  readonly outputFolder: string;
  /** Also trains the same network on the same schedule from scratch, and reports both. */
  readonly compareScratch: boolean;
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
  readonly bestValidationDice: number | null;
  readonly trainingMs: number;
  /** The most memory that the training process held. */
  readonly peakResidentBytes: number | undefined;
  readonly loadedParameters: number;
  readonly freshParameters: readonly string[];
  /** On the test cases; null when the task lists none. */
  readonly test: EvaluationReport | null;
}

/** summary.json of a fine-tuning. */
export interface FinetuneSummary {
  readonly task: string;
  readonly classes: readonly string[];
  /** What images were resampled to; null for their own grids. */
  readonly spacingMm: readonly [number, number, number] | null;
  readonly cases: { readonly train: number; readonly validation: number; readonly test: number };
  readonly model: TrainedModel;
  readonly scratch: TrainedModel | null;
}

/** Fine-tunes, scores the held-out test cases and, where asked, does both from scratch too; all of it resumable. */
export async function finetuneAndEvaluate(plan: FinetunePlan, desk: TrainerDesk): Promise<FinetuneSummary> {
  const { task } = plan;
  const folder = finetuneFolder(plan.outputFolder);
  const { model, spec } = await trainModel(plan, task, folder.path, desk, plan.compareScratch ? 'from the model' : task.name);
  let scratch: TrainedModel | null = null;
  if (plan.compareScratch) {
    // The same network, whatever the task file says about the one for scratch runs.
    const same = { ...task, start: { ...task.start, from: SCRATCH }, model: modelChoiceOf(spec) };
    scratch = (await trainModel(plan, same, folder.scratchFolder, desk, 'from scratch')).model;
  }
  const { train, validation, test } = task.cases;
  const summary = {
    task: task.name,
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
  { limits }: FinetunePlan,
  task: SegmentationTask,
  outputFolder: string,
  desk: TrainerDesk,
  label: string,
): Promise<{ model: TrainedModel; spec: FinetuneResult['spec'] }> {
  const result = await desk.finetune({ kind: 'finetune', limits, task, outputFolder }, label);
  const folder = finetuneFolder(outputFolder);
  await writeFileWhole(folder.taskFile, [Buffer.from(describeTask(task))]);
  const test = await evaluateModel(task, result, outputFolder, limits, desk);
  return { model: { ...pick(result), test }, spec: result.spec };
}

function pick(result: FinetuneResult): Omit<TrainedModel, 'test'> {
  const { startedFrom, modelPath, historyPath, digest, bytes, steps, stopped, bestStep, bestValidationDice, trainingMs } = result;
  const { peakResidentBytes } = result;
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
    trainingMs,
    peakResidentBytes,
    ...parameters,
  };
}

/** Scores the task's test cases and writes results.json and results.csv; null when there are none. */
export async function evaluateModel(
  task: SegmentationTask,
  { modelPath, digest }: { readonly modelPath: string; readonly digest: Digest },
  outputFolder: string,
  limits: TrainerLimits,
  desk: Pick<TrainerDesk, 'segment'>,
): Promise<EvaluationReport | null> {
  if (task.cases.test.length === 0) return null;
  const images = task.cases.test.map(({ name, image, series, frame, label }) => ({
    name,
    choice: { path: image, series, frame },
    labelPath: label,
  }));
  const result = await desk.segment({ kind: 'segment', limits, modelPath, images }, 'scoring test cases');
  const report = makeReport(task, digest, result.images);
  await makeFolder(outputFolder);
  await writeReport(outputFolder, report);
  return report;
}
