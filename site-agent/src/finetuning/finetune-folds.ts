/** Patient-wise cross-validation: one fine-tuning per fold, one after the other, and what they reached together. */
import { FederationError } from '@consilium/shared/kernel';
import { writeRecord } from '../training/round-folder.js';
import type { FoldsPlan } from './case-entry.js';
import {
  finetuneAndEvaluate,
  type FinetunePlan,
  type FinetuneSummary,
  type TrainedModel,
  type TrainerDesk,
} from './finetune-and-evaluate.js';
import { finetuneFolder, foldFolder } from './finetune-folder.js';
import { mean } from './metrics.js';
import { taskOfFold } from './task-file.js';

/** Mean and sample standard deviation over the folds that have the figure. */
export interface FoldFigure {
  readonly mean: number;
  /** Null with one value. */
  readonly sd: number | null;
  readonly folds: number;
}

/** summary.json above the folders of the folds. */
export interface FoldsSummary {
  readonly task: string;
  readonly folds: FoldsPlan;
  readonly runs: readonly { readonly fold: number; readonly summary: FinetuneSummary }[];
  readonly model: Readonly<Record<string, FoldFigure>>;
  readonly scratch: Readonly<Record<string, FoldFigure>> | null;
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
 * Does the folds in order; finished ones are not trained again, so that the same command continues. The summary over them is
 * written when all of the task's folds were asked for.
 */
export async function finetuneFolds(
  plan: FinetunePlan & { readonly folds: FoldsPlan },
  wanted: readonly number[],
  desk: TrainerDesk,
): Promise<FoldsSummary> {
  const { task, outputFolder, folds } = plan;
  const runs: { fold: number; summary: FinetuneSummary }[] = [];
  for (const fold of wanted) {
    const own = { ...plan, task: taskOfFold(task, fold), outputFolder: foldFolder(outputFolder, fold) };
    runs.push({ fold, summary: await finetuneAndEvaluate(own, desk, `fold ${fold} of ${folds.count}`) });
  }
  const summary = summariseFolds(task.name, folds, runs);
  if (wanted.length === folds.count) await writeRecord(finetuneFolder(outputFolder).summaryFile, summary);
  return summary;
}

/** Mean and deviation of every figure. */
export function summariseFolds(task: string, folds: FoldsPlan, runs: FoldsSummary['runs']): FoldsSummary {
  const models = runs.map(({ summary }) => summary.model);
  const scratch = runs.flatMap(({ summary }) => summary.scratch ?? []);
  return { task, folds, runs, model: figuresOf(models), scratch: scratch.length === 0 ? null : figuresOf(scratch) };
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
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return { mean: centre, sd: values.length < 2 ? null : Math.sqrt(squares / (values.length - 1)), folds: values.length };
}
