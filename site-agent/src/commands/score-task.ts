/** One evaluation: of a model on the test cases of its task, or of all folds of a task. */
import { resolve } from 'node:path';
import { type ClassificationFigures, evaluateClassification } from '../evaluation/evaluate-classification.js';
import { type FoldRun, presentClassificationFolds, presentSegmentationFolds } from '../evaluation/evaluate-folds.js';
import { evaluateSegmentation, type SegmentationFigures } from '../evaluation/evaluate-segmentation.js';
import { nameFiles } from '../evaluation/overlay/picture-files.js';
import { finetuneFolder, foldFolder } from '../finetuning/tasks/finetune-folder.js';
import { readModelFile } from '../finetuning/answers/model-file.js';
import type { WindowPlan } from '../finetuning/answers/window-plan.js';
import type { TrainerLimits } from '../trainer/trainer-messages.js';
import { type EvaluatedTask, openEvaluatedTask } from './evaluated-task.js';
import { openFoldsFolder } from './folds-folder.js';
import { openTrainerDesk } from './trainer-desk.js';

export interface EvaluationChoices {
  readonly limits: TrainerLimits;
  readonly windows: WindowPlan;
  /** Also the "IoU" of the Models Genesis papers. */
  readonly legacy: boolean;
  /** Of classifiers: from which probability on a class is called present. */
  readonly threshold: number;
}

export type Scored = { readonly outputFolder: string } & (
  | { readonly kind: 'segmentation'; readonly figures: SegmentationFigures; readonly pictureFiles: ReadonlyMap<string, string> }
  | { readonly kind: 'classification'; readonly figures: ClassificationFigures }
);

/** Scores a model, and its scratch run where there is one, and writes the report into the output folder. */
export async function scoreTask(
  { task, model, scratch }: EvaluatedTask,
  outputFolder: string,
  { limits, windows, legacy, threshold }: EvaluationChoices,
): Promise<Scored> {
  const evaluation = { model, scratch, outputFolder, limits };
  if (task.kind === 'classification') {
    const figures = await evaluateClassification({ ...evaluation, task, threshold }, openTrainerDesk());
    return { kind: task.kind, outputFolder, figures };
  }
  const figures = await evaluateSegmentation({ ...evaluation, task, windows, legacy }, openTrainerDesk());
  return { kind: task.kind, outputFolder, figures, pictureFiles: nameFiles(task.cases.test, outputFolder) };
}

/**
 * Scores each fold in its folder (or below `output`), then writes the report on all of them together. NOT_FOUND while a fold is
 * missing.
 */
export async function scoreFolds(folder: string, output: string | undefined, choices: EvaluationChoices): Promise<Scored> {
  const outputFolder = resolve(output ?? folder);
  const { task, folds } = await openFoldsFolder(folder);
  const scored: (Scored & Omit<FoldRun<unknown>, 'report' | 'scratch'>)[] = [];
  for (const fold of folds) {
    const own = foldFolder(folder, fold);
    const opened = await openEvaluatedTask(await readModelFile(own), undefined);
    const { scratchFolder } = finetuneFolder(own);
    scored.push({ ...(await scoreTask(opened, foldFolder(outputFolder, fold), choices)), fold, folder: own, scratchFolder });
  }
  if (task.kind === 'classification') {
    const runs = scored.flatMap((run) => (run.kind === 'classification' ? [{ ...run, ...reportsOf(run.figures) }] : []));
    const figures = await presentClassificationFolds(outputFolder, task, runs, choices.threshold);
    return { kind: task.kind, outputFolder, figures };
  }
  const runs = scored.flatMap((run) => (run.kind === 'segmentation' ? [{ ...run, ...reportsOf(run.figures) }] : []));
  const figures = await presentSegmentationFolds(outputFolder, task, runs);
  return { kind: task.kind, outputFolder, figures, pictureFiles: new Map() };
}

function reportsOf<Figures extends { readonly scratch: unknown }>(
  figures: Figures,
): { report: Figures; scratch: Figures['scratch'] } {
  return { report: figures, scratch: figures.scratch };
}
