import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { csvTable } from './csv.js';
import type { Interval } from './metrics/bootstrap.js';
import { legacyGenesisIou } from './metrics/legacy-genesis-iou.js';
import { mean } from './metrics/mean.js';
import { dice, foregroundIou, voxelPpv, voxelSensitivity } from './metrics/overlap.js';
import {
  addCalibration,
  type CalibrationSums,
  voxelCalibrationError,
  voxelReliability,
  type VoxelReliabilityBin,
} from './metrics/voxel-calibration.js';
import { requireTestedOnce } from './require-tested-once.js';
import { type FigureSummary, summarise } from './summarise.js';

/** One class of one case. Null where a figure does not exist; docs/guides/evaluation.md says when. */
export interface ClassScore {
  readonly name: string;
  readonly dice: number;
  readonly foregroundIou: number;
  readonly hd95Mm: number | null;
  readonly assdMm: number | null;
  readonly sensitivity: number | null;
  readonly ppv: number | null;
  /** Over the voxels around the label, see `sumCalibration`; null where the class is not labelled. */
  readonly expectedCalibrationError: number | null;
  /** What that is computed from. */
  readonly calibration: CalibrationSums | null;
  readonly predictedMl: number;
  readonly labelledMl: number;
}

export interface CaseScore {
  readonly name: string;
  /** Cases of one patient are drawn together in intervals; the case's own name when the task names no patient. */
  readonly patient: string;
  /** Whose model scored it, where there are folds. */
  readonly fold?: number;
  /** Mean over the classes. */
  readonly dice: number;
  readonly classes: readonly ClassScore[];
}

export const CLASS_FIGURES = [
  'dice',
  'foregroundIou',
  'hd95Mm',
  'assdMm',
  'sensitivity',
  'ppv',
  'expectedCalibrationError',
] as const;
export type ClassFigure = (typeof CLASS_FIGURES)[number];

export interface ClassSummary {
  readonly name: string;
  readonly figures: Readonly<Record<ClassFigure, FigureSummary>>;
  /** Of the voxels of all cases together; null when the class is labelled in none. */
  readonly reliability: readonly VoxelReliabilityBin[] | null;
  /** The "IoU" of the Models Genesis papers over all cases; only where it was asked for. */
  readonly legacyGenesisIou?: number;
}

/** What one fold's model reached on the cases of its fold. */
export interface FoldScore {
  readonly fold: number;
  readonly model: Digest | null;
  readonly cases: number;
  /** Null when no case of the fold could be scored. */
  readonly meanDice: number | null;
}

/** results.json: what a model, or the models of all folds, reached on held-out cases. */
export interface EvaluationReport {
  readonly task: string;
  /** Null where each fold has its own. */
  readonly model: Digest | null;
  /** Only of "finetune": names the model and the cases' bytes, so that a repeated command need not score them again. */
  readonly scored?: Digest;
  /** In order; only of all folds together. */
  readonly folds?: readonly FoldScore[];
  readonly cases: readonly CaseScore[];
  /** Cases that could not be scored, with the reason. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** Means over the scored cases; null when there is none. */
  readonly meanDice: number | null;
  readonly meanForegroundIou: number | null;
  /** 95 % bootstrap interval of meanDice, drawn by patient; null below three patients. */
  readonly meanDiceInterval: Interval | null;
  readonly classMeans: readonly { readonly name: string; readonly dice: number }[];
  readonly classes: readonly ClassSummary[];
}

/** What a report needs of a task. */
export interface ScoredTask {
  readonly name: string;
  readonly classes: readonly { readonly name: string }[];
  readonly cases: { readonly test: readonly { readonly name: string; readonly patient?: string | undefined }[] };
}

/** Turns the trainer's counts into scores, in the order of the cases. */
export function makeReport(task: ScoredTask, model: Digest, images: readonly SegmentedImage[]): EvaluationReport {
  const patients = new Map(task.cases.test.map(({ name, patient }) => [name, patient ?? name] as const));
  const scored = images.flatMap((image) => ('refused' in image ? [] : [image]));
  const refused = images.flatMap((image) => ('refused' in image ? [{ name: image.name, reason: image.refused.message }] : []));
  const cases = scored.map((image) => scoreCase(image, task.classes, patients.get(image.name) ?? image.name));
  const report = { task: task.name, model, cases, refused, ...meansOf(task.classes, cases) };
  return { ...report, classes: report.classes.map((summary, index) => withLegacy(summary, index, scored)) };
}

/**
 * One report on the cases of all folds, each scored by the model that did not see it. The legacy figure, which is counted over all
 * cases of one model, stays with the folds.
 */
export function poolReports(
  task: Pick<ScoredTask, 'name' | 'classes'>,
  folds: readonly { readonly fold: number; readonly report: EvaluationReport }[],
): EvaluationReport {
  const cases = folds.flatMap(({ fold, report }) => report.cases.map((entry) => ({ ...entry, fold })));
  requireTestedOnce(cases);
  return {
    task: task.name,
    model: null,
    folds: folds.map(({ fold, report: { model, cases: own, meanDice } }) => ({ fold, model, cases: own.length, meanDice })),
    cases,
    refused: folds.flatMap(({ report }) => report.refused),
    ...meansOf(task.classes, cases),
  };
}

/** What a report says of its cases together. */
type Means = Omit<EvaluationReport, 'task' | 'model' | 'folds' | 'cases' | 'refused'>;

function meansOf(named: ScoredTask['classes'], cases: readonly CaseScore[]): Means {
  const classes = named.map(({ name }, index) => summariseClass(name, index, cases));
  const overall = summarise(cases.map(({ patient, dice: value }) => ({ patient, value })));
  const ious = cases.flatMap((entry) => entry.classes.map((score) => score.foregroundIou));
  return {
    meanDice: overall.mean,
    meanForegroundIou: ious.length === 0 ? null : mean(ious),
    meanDiceInterval: overall.interval,
    classMeans: classes.flatMap(({ name, figures }) => (figures.dice.mean === null ? [] : [{ name, dice: figures.dice.mean }])),
    classes,
  };
}

type ScoredImage = Extract<SegmentedImage, { readonly voxelMm3: number }>;

function withLegacy(summary: ClassSummary, index: number, scored: readonly ScoredImage[]): ClassSummary {
  const counts = scored.flatMap(({ legacy }) => (legacy?.[index] === undefined ? [] : [legacy[index]]));
  return counts.length === 0 ? summary : { ...summary, legacyGenesisIou: legacyGenesisIou(counts) };
}

function scoreCase(
  { name, counts, surfaces, calibration, voxelMm3 }: ScoredImage,
  classes: readonly { readonly name: string }[],
  patient: string,
): CaseScore {
  const millilitres = (voxels: number): number => (voxels * voxelMm3) / 1000;
  const scores = (counts ?? []).map((count, index) => ({
    name: classes[index]?.name ?? `class-${index + 1}`,
    dice: dice(count),
    foregroundIou: foregroundIou(count),
    hd95Mm: surfaces?.[index]?.hd95Mm ?? null,
    assdMm: surfaces?.[index]?.assdMm ?? null,
    sensitivity: voxelSensitivity(count),
    ppv: voxelPpv(count),
    ...calibrationOf(calibration?.[index] ?? null),
    predictedMl: millilitres(count.predicted),
    labelledMl: millilitres(count.labelled),
  }));
  return { name, patient, dice: mean(scores.map((score) => score.dice)), classes: scores };
}

function calibrationOf(sums: CalibrationSums | null): Pick<ClassScore, 'expectedCalibrationError' | 'calibration'> {
  return { expectedCalibrationError: sums && voxelCalibrationError(sums), calibration: sums };
}

function summariseClass(name: string, index: number, cases: readonly CaseScore[]): ClassSummary {
  const summaryOf = (figure: ClassFigure): FigureSummary =>
    summarise(cases.map(({ patient, classes }) => ({ patient, value: classes[index]?.[figure] ?? null })));
  const figures = Object.fromEntries(CLASS_FIGURES.map((figure) => [figure, summaryOf(figure)]));
  const sums = addCalibration(cases.flatMap(({ classes }) => classes[index]?.calibration ?? []));
  return { name, figures: figures as Record<ClassFigure, FigureSummary>, reliability: sums && voxelReliability(sums) };
}

/** One line per case and class, for a spreadsheet. */
export function formatCsv(report: EvaluationReport): string {
  const headers = ['case', 'patient', 'class', 'dice', 'foreground_iou', 'hd95_mm', 'assd_mm', 'sensitivity', 'ppv', 'ece'];
  const rows = report.cases.flatMap((entry) =>
    entry.classes.map((score) => [
      entry.name,
      entry.patient,
      score.name,
      ...CLASS_FIGURES.map((figure) => score[figure]),
      score.predictedMl,
      score.labelledMl,
      ...(entry.fold === undefined ? [] : [entry.fold]),
    ]),
  );
  return csvTable([...headers, 'predicted_ml', 'labelled_ml', ...(report.folds === undefined ? [] : ['fold'])], rows);
}

/** Writes results.json and results.csv into the folder and returns their paths. */
export async function writeReport(folder: string, report: EvaluationReport): Promise<{ json: string; csv: string }> {
  const [json, csv] = [join(folder, 'results.json'), join(folder, 'results.csv')];
  await writeRecord(json, report);
  await writeFileWhole(csv, [Buffer.from(formatCsv(report))]);
  return { json, csv };
}
