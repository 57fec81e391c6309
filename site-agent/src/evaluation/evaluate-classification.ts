/** Scores a classifier on its task's test cases, beside a scratch run where there is one, and writes what people read. */
import { join } from 'node:path';
import { writeFileWhole } from '@consilium/shared/weights';
import { testCasesToClassify } from '../finetuning/answers/test-cases.js';
import type { CaseFiles } from '../finetuning/tasks/finetune-case.js';
import type { ClassifyOrder, ClassifyResult, TrainerLimits } from '../trainer/trainer-messages.js';
import type { Modality, Triple } from '../volumes/volume.js';
import {
  type ClassificationReport,
  type ClassifiedTask,
  makeClassificationReport,
  writeClassificationReport,
} from './classification-report.js';
import { type ClassificationComparison, compareClassifiers } from './compare-classifiers.js';
import type { EvaluatedModel } from './evaluated-model.js';
import { renderClassificationPage } from './html/classification-page.js';
import { readRunCourse, type RunCourse, startOf } from './training-course.js';
import { writeBesideScratch } from './write-beside-scratch.js';

/** What an evaluation needs of a classification task. */
export interface ClassifiedFiles extends ClassifiedTask {
  /** Of all images. */
  readonly modality?: Modality | undefined;
  readonly cases: {
    readonly test: readonly (ClassifiedTask['cases']['test'][number] & CaseFiles & { readonly centre?: Triple | undefined })[];
  };
}

export interface ClassificationEvaluation {
  readonly task: ClassifiedFiles;
  readonly model: EvaluatedModel;
  readonly scratch: EvaluatedModel | undefined;
  readonly outputFolder: string;
  readonly limits: TrainerLimits;
  /** From which probability on a class is called present. */
  readonly threshold: number;
}

/** All figures of an evaluation; what `--json` gives. */
export interface ClassificationFigures extends ClassificationReport {
  readonly scratch: ClassificationReport | null;
  /** "scratch" or a model's digest, as the training's history tells; null where none does. */
  readonly startedFrom: string | null;
  readonly comparison: ClassificationComparison | null;
}

interface ClassifyDesk {
  classify(order: ClassifyOrder, label: string): Promise<ClassifyResult>;
}

/** Writes results.json, results.csv and report.html; with a scratch run also scratch/results.* and comparison.json. */
export async function evaluateClassification(
  evaluation: ClassificationEvaluation,
  desk: ClassifyDesk,
): Promise<ClassificationFigures> {
  const { model, scratch, outputFolder } = evaluation;
  const report = await scoreClassifier(evaluation, model, desk);
  const other = scratch && (await scoreClassifier(evaluation, scratch, desk));
  const courses = [await readRunCourse(model.folder, scratch?.folder)];
  return presentClassification(outputFolder, { report, scratch: other, courses });
}

async function scoreClassifier(
  { task, limits, threshold }: ClassificationEvaluation,
  { modelPath, digest }: EvaluatedModel,
  desk: ClassifyDesk,
): Promise<ClassificationReport> {
  const images = testCasesToClassify(task);
  const { images: answers } = await desk.classify(
    { kind: 'classify', limits, modelPaths: [modelPath], images },
    'scoring test cases',
  );
  return makeClassificationReport(task, digest, answers, threshold);
}

/** What is told of one classifier, or of the classifiers of all folds. */
export interface ScoredClassification {
  readonly report: ClassificationReport;
  readonly scratch: ClassificationReport | undefined;
  readonly courses: readonly RunCourse[];
}

/** Compares with the scratch run and writes everything that people and programs read; see {@link evaluateClassification}. */
export async function presentClassification(
  outputFolder: string,
  { report, scratch, courses }: ScoredClassification,
): Promise<ClassificationFigures> {
  const kind = { write: writeClassificationReport, compare: compareClassifiers };
  const compared = await writeBesideScratch(outputFolder, report, scratch, kind);
  const page = renderClassificationPage({ report, courses, scratch: compared });
  await writeFileWhole(join(outputFolder, 'report.html'), [Buffer.from(page)]);
  return { ...report, startedFrom: startOf(courses), scratch: scratch ?? null, comparison: compared?.comparison ?? null };
}
