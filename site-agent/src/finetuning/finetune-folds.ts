/** Patient-wise cross-validation: one fine-tuning per fold, one after the other, and what they reached together. */
import { FederationError } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { ClassificationReport } from '../evaluation/classification-report.js';
import { presentClassificationFolds, presentSegmentationFolds } from '../evaluation/evaluate-folds.js';
import { mean, standardDeviation } from '../evaluation/metrics/mean.js';
import { nameFiles } from '../evaluation/overlay/picture-files.js';
import type { EvaluationReport } from '../evaluation/segmentation-report.js';
import { writeRecord } from '../training/round-folder.js';
import type { FoldsPlan } from './tasks/case-entry.js';
import {
  finetuneAndEvaluate,
  type FinetunePlan,
  type FinetuneSummary,
  type TrainedModel,
  type TrainerDesk,
} from './finetune-and-evaluate.js';
import { finetuneFolder, foldFolder } from './tasks/finetune-folder.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import { requireExamples } from './task-data.js';
import { describeTask } from './tasks/task-file.js';
import { lookAtTrainedTasks, taskOfFold } from './tasks/task-of-fold.js';

/** Mean and sample standard deviation over the folds that have the figure. */
export interface FoldFigure {
  readonly mean: number;
  /** Null with one value. */
  readonly sd: number | null;
  readonly folds: number;
}

/** What all test cases show together, each scored by the model of its fold; the whole stands in results.json. */
export type OutOfFoldFigures =
  | Pick<EvaluationReport, 'meanDice' | 'meanDiceInterval' | 'folds'>
  | Pick<ClassificationReport, 'auc' | 'aucInterval' | 'accuracy' | 'accuracyInterval' | 'folds'>;

/** summary.json above the folders of the folds. */
export interface FoldsSummary {
  readonly task: string;
  readonly folds: FoldsPlan;
  readonly runs: readonly { readonly fold: number; readonly summary: FinetuneSummary }[];
  readonly model: Readonly<Record<string, FoldFigure>>;
  readonly scratch: Readonly<Record<string, FoldFigure>> | null;
  /** Null until all folds are done. */
  readonly outOfFold: {
    readonly cases: number;
    readonly model: OutOfFoldFigures;
    readonly scratch: OutOfFoldFigures | null;
  } | null;
}

/** The folds to do, counted from 1: all, or the one that was named. ARGUMENT_INVALID when there is none such. */
export function chosenFolds({ count }: FoldsPlan, wanted: string | undefined): number[] {
  if (wanted === undefined) return Array.from({ length: count }, (_, index) => index + 1);
  const fold = Number(wanted);
  if (Number.isInteger(fold) && fold >= 1 && fold <= count) return [fold];
  throw new FederationError('ARGUMENT_INVALID', `--fold ${wanted}: the task has the folds 1 to ${count}`, {
    remedy: 'Leave --fold out for all of them, one after the other.',
  });
}

/**
 * Does the folds in order; finished ones are not trained again, so that the same command continues. When all of the task's folds were
 * asked for, the report on all test cases and the summary are written above their folders.
 */
export async function finetuneFolds(
  plan: FinetunePlan & { readonly folds: FoldsPlan },
  wanted: readonly number[],
  desk: TrainerDesk,
): Promise<FoldsSummary> {
  const { task, outputFolder, folds } = plan;
  // Told now and not after the folds before it; of label maps, "--check" tells the same.
  lookAtTrainedTasks(task, (trained) => trained.kind === 'classification' && requireExamples(trained));
  const runs: { fold: number; summary: FinetuneSummary }[] = [];
  for (const fold of wanted) {
    const own = { ...plan, task: taskOfFold(task, fold), outputFolder: foldFolder(outputFolder, fold), pictures: true };
    runs.push({ fold, summary: await finetuneAndEvaluate(own, desk, `fold ${fold} of ${folds.count}`) });
  }
  // Only now: each fold has refused a folder that holds other work.
  const folder = finetuneFolder(outputFolder);
  await writeFileWhole(folder.taskFile, [Buffer.from(describeTask(task))]);
  const summary = summariseFolds(task.name, folds, runs);
  if (wanted.length < folds.count) return summary;
  const whole = { ...summary, outOfFold: await reportOutOfFold(task, outputFolder, runs) };
  await writeRecord(folder.summaryFile, whole);
  return whole;
}

/** Pools the reports that the folds have written, and writes results.json, results.csv and report.html above their folders. */
async function reportOutOfFold(
  task: FinetuneTask,
  outputFolder: string,
  runs: FoldsSummary['runs'],
): Promise<FoldsSummary['outOfFold']> {
  if (task.kind === 'segmentation') {
    const segmented = runs.flatMap((run) => {
      const report = run.summary.model.test;
      const pictureFiles = nameFiles(taskOfFold(task, run.fold).cases.test, foldFolder(outputFolder, run.fold));
      return report === null
        ? []
        : [{ ...placeOf(outputFolder, run), report, scratch: run.summary.scratch?.test ?? null, pictureFiles }];
    });
    const { scratch, ...report } = await presentSegmentationFolds(outputFolder, task, segmented);
    return { cases: report.cases.length, model: diceOf(report), scratch: scratch && diceOf(scratch) };
  }
  const classified = runs.flatMap((run) => {
    const report = run.summary.model.classified;
    return report === null ? [] : [{ ...placeOf(outputFolder, run), report, scratch: run.summary.scratch?.classified ?? null }];
  });
  const { scratch, ...report } = await presentClassificationFolds(outputFolder, task, classified);
  return { cases: report.cases.length, model: areaOf(report), scratch: scratch && areaOf(scratch) };
}

function placeOf(outputFolder: string, { fold }: FoldsSummary['runs'][number]) {
  const folder = foldFolder(outputFolder, fold);
  return { fold, folder, scratchFolder: finetuneFolder(folder).scratchFolder };
}

function diceOf({ meanDice, meanDiceInterval, folds }: EvaluationReport): OutOfFoldFigures {
  return { meanDice, meanDiceInterval, ...(folds && { folds }) };
}

function areaOf({ auc, aucInterval, accuracy, accuracyInterval, folds }: ClassificationReport): OutOfFoldFigures {
  return { auc, aucInterval, accuracy, accuracyInterval, ...(folds && { folds }) };
}

/** Mean and deviation of every figure. */
export function summariseFolds(task: string, folds: FoldsPlan, runs: FoldsSummary['runs']): FoldsSummary {
  const models = runs.map(({ summary }) => summary.model);
  const scratch = runs.flatMap(({ summary }) => summary.scratch ?? []);
  const others = scratch.length === 0 ? null : figuresOf(scratch);
  return { task, folds, runs, model: figuresOf(models), scratch: others, outOfFold: null };
}

function figuresOf(models: readonly TrainedModel[]): Record<string, FoldFigure> {
  const entries = Object.entries(FIGURES).flatMap(([name, read]) => {
    const values = models.flatMap((model) => read(model) ?? []);
    return values.length === 0 ? [] : [[name, figureOf(values)] as const];
  });
  return Object.fromEntries(entries);
}

const FIGURES: Readonly<Record<string, (model: TrainedModel) => number | null | undefined>> = {
  validationDice: ({ bestValidationDice }) => bestValidationDice,
  validationAuc: ({ bestValidationAuc }) => bestValidationAuc,
  validationAccuracy: ({ bestValidationAccuracy }) => bestValidationAccuracy,
  testDice: ({ test }) => test?.meanDice,
  testAuc: ({ classified }) => classified?.auc,
  testAccuracy: ({ classified }) => classified?.accuracy,
};

function figureOf(values: readonly number[]): FoldFigure {
  return { mean: mean(values), sd: values.length < 2 ? null : standardDeviation(values), folds: values.length };
}
