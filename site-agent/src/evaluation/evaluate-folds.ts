/** One report on the test cases of all folds: each case was scored once, by the model that did not see it. */
import { type ClassificationReport, type ClassifiedTask, poolClassificationReports } from './classification-report.js';
import { type ClassificationFigures, presentClassification } from './evaluate-classification.js';
import { presentSegmentation, type SegmentationFigures } from './evaluate-segmentation.js';
import { type EvaluationReport, poolReports, type ScoredTask } from './segmentation-report.js';
import { readRunCourse, type RunCourse } from './training-course.js';

/** What came of one fold. */
export interface FoldRun<Report> {
  readonly fold: number;
  readonly report: Report;
  /** Of the scratch run, where there is one. */
  readonly scratch: Report | null;
  /** Where the histories of the two runs lie. */
  readonly folder: string;
  readonly scratchFolder: string;
}

/** As {@link FoldRun}, with the pictures of its test cases. */
export interface SegmentedFold extends FoldRun<EvaluationReport> {
  /** Path by case. */
  readonly pictureFiles: ReadonlyMap<string, string>;
}

/**
 * Writes results.json, results.csv and report.html of all folds together; where every fold has a scratch run also scratch/results.* and
 * comparison.json. TASK_INVALID when two folds tested the same case.
 */
export async function presentSegmentationFolds(
  outputFolder: string,
  task: Pick<ScoredTask, 'name' | 'classes'>,
  runs: readonly SegmentedFold[],
): Promise<SegmentationFigures> {
  const others = scratchRuns(runs);
  return presentSegmentation(outputFolder, {
    report: poolReports(task, runs),
    scratch: others && poolReports(task, others),
    courses: await coursesOf(runs),
    pictureFiles: new Map(runs.flatMap(({ pictureFiles }) => [...pictureFiles])),
  });
}

/** As {@link presentSegmentationFolds}, of a classification; `threshold` is that of the folds' own reports. */
export async function presentClassificationFolds(
  outputFolder: string,
  task: Pick<ClassifiedTask, 'name' | 'classes'>,
  runs: readonly FoldRun<ClassificationReport>[],
  threshold?: number,
): Promise<ClassificationFigures> {
  const others = scratchRuns(runs);
  return presentClassification(outputFolder, {
    report: poolClassificationReports(task, runs, threshold),
    scratch: others && poolClassificationReports(task, others, threshold),
    courses: await coursesOf(runs),
  });
}

/** A comparison over some of the folds would look like one over all of them. */
function scratchRuns<Report>(runs: readonly FoldRun<Report>[]): { fold: number; report: Report }[] | undefined {
  const others = runs.flatMap(({ fold, scratch }) => (scratch === null ? [] : [{ fold, report: scratch }]));
  return others.length === runs.length ? others : undefined;
}

async function coursesOf(runs: readonly FoldRun<unknown>[]): Promise<RunCourse[]> {
  return Promise.all(runs.map(({ fold, folder, scratchFolder }) => readRunCourse(folder, scratchFolder, fold)));
}
