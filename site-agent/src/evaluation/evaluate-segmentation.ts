/** Scores a segmentation model on its task's test cases, beside a scratch run where there is one, and writes what people read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '@consilium/shared/weights';
import { makeFolder } from '../finetuning/finetune-folder.js';
import type { SegmentationTask } from '../finetuning/segmentation-task.js';
import type { WindowPlan } from '../finetuning/window-plan.js';
import type { SegmentOrder, SegmentResult, TrainerLimits } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { comparePaired, type PairedComparison } from './compare-runs.js';
import type { EvaluatedModel } from './evaluated-model.js';
import { renderSegmentationPage, worstFirst } from './html/segmentation-page.js';
import { type EvaluationReport, makeReport, writeReport } from './segmentation-report.js';
import { readCourse } from './training-course.js';

/** A page with a picture of every case of a large collection would not open any more. */
const MOST_PICTURES = 24;

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
  const pictureFiles = nameFiles(evaluation.task, join(outputFolder, 'overlays'));
  const report = await scoreModel(evaluation, model, { folder: outputFolder, pictureFiles }, desk);
  let compared: { report: EvaluationReport; comparison: PairedComparison } | undefined;
  if (scratch !== undefined) {
    const other = await scoreModel(evaluation, scratch, { folder: join(outputFolder, 'scratch') }, desk);
    compared = { report: other, comparison: comparePaired(casesOf(report), casesOf(other)) };
    await writeRecord(join(outputFolder, 'comparison.json'), compared.comparison);
  }
  const page = renderSegmentationPage({
    report,
    course: await readCourse(model.folder),
    scratch: compared && scratch && { ...compared, course: await readCourse(scratch.folder) },
    pictures: await readPictures(report, pictureFiles),
  });
  await writeFileWhole(join(outputFolder, 'report.html'), [Buffer.from(page)]);
  return { ...report, scratch: compared?.report ?? null, comparison: compared?.comparison ?? null };
}

/** Case names may hold anything: the number tells two apart whose names become the same. */
function nameFiles({ cases }: SegmentationTask, folder: string): ReadonlyMap<string, string> {
  return new Map(
    cases.test.map(({ name }, index) => [name, join(folder, `${index + 1}-${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.png`)]),
  );
}

async function scoreModel(
  { task, limits, windows, legacy }: SegmentationEvaluation,
  { modelPath, digest }: EvaluatedModel,
  { folder, pictureFiles }: { readonly folder: string; readonly pictureFiles?: ReadonlyMap<string, string> },
  desk: SegmentDesk,
): Promise<EvaluationReport> {
  const images = task.cases.test.map(({ name, image, series, frame, label }) => {
    const overlayPath = pictureFiles?.get(name);
    return { name, choice: { path: image, series, frame }, labelPath: label, ...(overlayPath !== undefined && { overlayPath }) };
  });
  const order = { kind: 'segment', limits, modelPath, images, windows, legacy } as const;
  const label = pictureFiles === undefined ? 'scoring the scratch run' : 'scoring test cases';
  const report = makeReport(task, digest, (await desk.segment(order, label)).images);
  await makeFolder(folder);
  await writeReport(folder, report);
  return report;
}

function casesOf({ cases }: EvaluationReport) {
  return cases.map(({ name, patient, dice }) => ({ name, patient, value: dice }));
}

async function readPictures(
  { cases }: EvaluationReport,
  files: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const pictures = new Map<string, Uint8Array>();
  for (const { name } of worstFirst(cases).slice(0, MOST_PICTURES)) {
    const picture = await readFile(files.get(name) ?? '').catch(() => undefined);
    if (picture !== undefined) pictures.set(name, picture);
  }
  return pictures;
}
