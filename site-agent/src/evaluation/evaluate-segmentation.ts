/** Scores a segmentation model on its task's test cases, beside a scratch run where there is one, and writes what people read. */
import { join } from 'node:path';
import { writeFileWhole } from '@consilium/shared/weights';
import type { SegmentationTask } from '../finetuning/tasks/segmentation-task.js';
import type { WindowPlan } from '../finetuning/answers/window-plan.js';
import { testCasesToSegment } from '../finetuning/answers/test-cases.js';
import type { SegmentOrder, SegmentResult, TrainerLimits } from '../trainer/trainer-messages.js';
import { compareDice, type PairedComparison } from './compare-runs.js';
import type { EvaluatedModel } from './evaluated-model.js';
import { renderSegmentationPage, shownCases } from './html/segmentation-page.js';
import { nameFiles, readPictures } from './overlay/picture-files.js';
import { type EvaluationReport, makeReport, writeReport } from './segmentation-report.js';
import { readRunCourse, type RunCourse, startOf } from './training-course.js';
import { writeBesideScratch } from './write-beside-scratch.js';

export interface SegmentationEvaluation {
  readonly task: SegmentationTask;
  readonly model: EvaluatedModel;
  /** The same schedule from scratch. */
  readonly scratch: EvaluatedModel | undefined;
  readonly outputFolder: string;
  readonly limits: TrainerLimits;
  readonly windows: WindowPlan;
  readonly legacy: boolean;
}

/** All figures of an evaluation; what `--json` gives. */
export interface SegmentationFigures extends EvaluationReport {
  readonly scratch: EvaluationReport | null;
  /** "scratch" or a model's digest, as the training's history tells; null where none does. */
  readonly startedFrom: string | null;
  /** Mean Dice of each case, model − scratch. */
  readonly comparison: PairedComparison | null;
}

interface SegmentDesk {
  segment(order: SegmentOrder, label: string): Promise<SegmentResult>;
}

/**
 * Writes results.json, results.csv, report.html and overlays/ into the output folder; with a scratch run also
 * scratch/results.json and .csv, and comparison.json.
 */
export async function evaluateSegmentation(evaluation: SegmentationEvaluation, desk: SegmentDesk): Promise<SegmentationFigures> {
  const { model, scratch, outputFolder } = evaluation;
  const pictureFiles = nameFiles(evaluation.task.cases.test, outputFolder);
  const report = await scoreModel(evaluation, model, desk, pictureFiles);
  const other = scratch && (await scoreModel(evaluation, scratch, desk));
  const courses = [await readRunCourse(model.folder, scratch?.folder)];
  return presentSegmentation(outputFolder, { report, scratch: other, courses, pictureFiles });
}

async function scoreModel(
  { task, limits, windows, legacy }: SegmentationEvaluation,
  { modelPath, digest }: EvaluatedModel,
  desk: SegmentDesk,
  pictureFiles?: ReadonlyMap<string, string>,
): Promise<EvaluationReport> {
  const images = testCasesToSegment(task, pictureFiles);
  const order = { kind: 'segment', limits, modelPaths: [modelPath], images, windows, legacy } as const;
  const label = pictureFiles === undefined ? 'scoring the scratch run' : 'scoring test cases';
  return makeReport(task, digest, (await desk.segment(order, label)).images);
}

/** What is told of one model, or of the models of all folds. */
export interface ScoredSegmentation {
  readonly report: EvaluationReport;
  readonly scratch: EvaluationReport | undefined;
  readonly courses: readonly RunCourse[];
  /** Where the picture of each case lies, if there is one. */
  readonly pictureFiles: ReadonlyMap<string, string>;
}

/** Compares with the scratch run and writes everything that people and programs read; see {@link evaluateSegmentation}. */
export async function presentSegmentation(
  outputFolder: string,
  { report, scratch, courses, pictureFiles }: ScoredSegmentation,
): Promise<SegmentationFigures> {
  const kind = { write: writeReport, compare: compareDice };
  const compared = await writeBesideScratch(outputFolder, report, scratch, kind);
  const pictures = await readPictures(shownCases(report), pictureFiles);
  const page = renderSegmentationPage({ report, courses, scratch: compared, pictures });
  await writeFileWhole(join(outputFolder, 'report.html'), [Buffer.from(page)]);
  return { ...report, startedFrom: startOf(courses), scratch: scratch ?? null, comparison: compared?.comparison ?? null };
}
