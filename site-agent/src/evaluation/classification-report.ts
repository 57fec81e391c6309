import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { ClassifiedImage } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { csvTable } from './csv.js';
import { bootstrapInterval, type Interval } from './metrics/bootstrap.js';
import { brierScore, expectedCalibrationError, reliabilityCurve, type ReliabilityBin } from './metrics/calibration.js';
import { confusionTable, type DecisionQuality, decisionQuality, type DecisionShare } from './metrics/decision.js';
import { mean } from './metrics/mean.js';
import { rocAuc, rocCurve, type RocPoint, type ScoredOutcome } from './metrics/roc.js';
import { requireTestedOnce } from './require-tested-once.js';

export interface ClassifiedCase {
  readonly name: string;
  /** As in segmentation: drawn together in intervals. */
  readonly patient: string;
  /** Whose model scored it, where there are folds. */
  readonly fold?: number;
  /** Class indices from 0. */
  readonly label: number;
  readonly called: number;
  /** One per class, with the sum 1. */
  readonly probabilities: readonly number[];
}

/** One class against all others. */
export interface ClassQuality {
  readonly name: string;
  readonly cases: number;
  readonly auc: number | null;
  readonly aucInterval: Interval | null;
  readonly atThreshold: DecisionQuality;
  readonly atThresholdIntervals: Readonly<Record<DecisionShare, Interval | null>>;
  readonly roc: readonly RocPoint[];
  readonly reliability: readonly ReliabilityBin[];
  readonly expectedCalibrationError: number;
  readonly expectedCalibrationErrorInterval: Interval | null;
}

/** What one fold's model reached on the cases of its fold. */
export interface FoldQuality {
  readonly fold: number;
  readonly model: Digest | null;
  readonly cases: number;
  /** Null where the fold's cases are all of one kind. */
  readonly auc: number | null;
  readonly accuracy: number | null;
}

/** The folds one by one. Scores of different models are not on one scale, so that one area over all cases mixes scales. */
export interface FoldsQuality {
  /** In order. */
  readonly each: readonly FoldQuality[];
  /** Mean of the areas within the folds that have one; null when none has. */
  readonly meanAuc: number | null;
  /** 95 % bootstrap interval of it: patients are drawn, areas are taken within the folds. */
  readonly meanAucInterval: Interval | null;
}

/** results.json of a classifier, or of the classifiers of all folds, on held-out cases. */
export interface ClassificationReport {
  readonly kind: 'classification';
  readonly task: string;
  /** Null where each fold has its own. */
  readonly model: Digest | null;
  /** Only of "finetune": names the model and the cases' bytes, so that a repeated command need not score them again. */
  readonly scored?: Digest;
  /** Only of all folds together. */
  readonly folds?: FoldsQuality;
  readonly classNames: readonly string[];
  readonly cases: readonly ClassifiedCase[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** All null when no case could be scored. */
  readonly accuracy: number | null;
  readonly accuracyInterval: Interval | null;
  /** Of the second of two classes; of more, the mean over the classes that have an area. */
  readonly auc: number | null;
  readonly aucInterval: Interval | null;
  readonly brier: number | null;
  readonly brierInterval: Interval | null;
  /** Of the most probable class: how sure against how often right. */
  readonly expectedCalibrationError: number | null;
  readonly expectedCalibrationErrorInterval: Interval | null;
  readonly reliability: readonly ReliabilityBin[];
  /** Rows are true classes, columns the called ones. */
  readonly confusion: readonly (readonly number[])[];
  /** The second of two classes, or each of more. */
  readonly classes: readonly ClassQuality[];
}

/** What a report needs of a task. */
export interface ClassifiedTask {
  readonly name: string;
  readonly classes: readonly { readonly name: string }[];
  readonly cases: {
    readonly test: readonly { readonly name: string; readonly patient?: string | undefined; readonly classIndex: number }[];
  };
}

/** `threshold` is the probability from which on a class is called present in sensitivity, specificity and predictive values. */
export function makeClassificationReport(
  task: ClassifiedTask,
  model: Digest,
  images: readonly ClassifiedImage[],
  threshold = 0.5,
): ClassificationReport {
  const known = new Map(task.cases.test.map((entry) => [entry.name, entry] as const));
  const refused = images.flatMap((image) => ('refused' in image ? [{ name: image.name, reason: image.refused.message }] : []));
  const cases = images.flatMap((image): ClassifiedCase[] => {
    const entry = known.get(image.name);
    if ('refused' in image || entry === undefined) return [];
    const { name, probabilities } = image;
    return [
      { name, patient: entry.patient ?? name, label: entry.classIndex, called: mostProbable(probabilities), probabilities },
    ];
  });
  return { ...describe(task, cases, threshold), model, refused };
}

/** One report on the cases of all folds, each scored by the model that did not see it. */
export function poolClassificationReports(
  task: Pick<ClassifiedTask, 'name' | 'classes'>,
  folds: readonly { readonly fold: number; readonly report: ClassificationReport }[],
  threshold = 0.5,
): ClassificationReport {
  const cases = folds.flatMap(({ fold, report }) => report.cases.map((entry) => ({ ...entry, fold })));
  requireTestedOnce(cases);
  const each = folds.map(({ fold, report: { model, cases: own, auc, accuracy } }) => ({
    fold,
    model,
    cases: own.length,
    auc,
    accuracy,
  }));
  const meanWithin = (drawn: readonly ClassifiedCase[]): number | null => meanFoldAuc(drawn, task.classes.length);
  const interval = bootstrapInterval(cases, meanWithin, { patientOf });
  return {
    ...describe(task, cases, threshold),
    model: null,
    folds: { each, meanAuc: meanWithin(cases), meanAucInterval: interval ?? null },
    refused: folds.flatMap(({ report }) => report.refused),
  };
}

/** Null when the cases of no fold have an area. */
function meanFoldAuc(cases: readonly ClassifiedCase[], classes: number): number | null {
  const byFold = new Map<number | undefined, ClassifiedCase[]>();
  for (const entry of cases) {
    const own = byFold.get(entry.fold);
    if (own === undefined) byFold.set(entry.fold, [entry]);
    else own.push(entry);
  }
  const areas = [...byFold.values()].flatMap((own) => meanAuc(own, classes) ?? []);
  return areas.length === 0 ? null : mean(areas);
}

function patientOf({ patient }: ClassifiedCase): string {
  return patient;
}

function describe(
  task: Pick<ClassifiedTask, 'name' | 'classes'>,
  cases: readonly ClassifiedCase[],
  threshold: number,
): Omit<ClassificationReport, 'model' | 'refused'> {
  const count = task.classes.length;
  const reliability = reliabilityCurve(sureness(cases));
  return {
    kind: 'classification',
    task: task.name,
    classNames: task.classes.map(({ name }) => name),
    cases,
    accuracy: cases.length === 0 ? null : accuracyOf(cases),
    accuracyInterval: intervalOf(cases, accuracyOf),
    auc: meanAuc(cases, count),
    aucInterval: intervalOf(cases, (drawn) => meanAuc(drawn, count)),
    brier: cases.length === 0 ? null : brierScore(cases),
    brierInterval: intervalOf(cases, brierScore),
    expectedCalibrationError: cases.length === 0 ? null : expectedCalibrationError(reliability),
    expectedCalibrationErrorInterval: intervalOf(cases, (drawn) => calibrationErrorOf(sureness(drawn))),
    reliability,
    confusion: confusionTable(cases, count),
    classes: judgedClasses(count).map((index) => judgeClass(task.classes[index]?.name ?? '', index, cases, threshold)),
  };
}

/** Of two classes one says all. */
function judgedClasses(count: number): number[] {
  return count === 2 ? [1] : Array.from({ length: count }, (_, index) => index);
}

function judgeClass(name: string, index: number, cases: readonly ClassifiedCase[], threshold: number): ClassQuality {
  const outcomes = outcomesOf(cases, index);
  const reliability = reliabilityCurve(outcomes);
  const intervalOfClass = (figureOf: (outcomes: ScoredOutcome[]) => number | null): Interval | null =>
    intervalOf(cases, (drawn) => figureOf(outcomesOf(drawn, index)));
  const shareInterval = (share: DecisionShare): Interval | null =>
    intervalOfClass((drawn) => decisionQuality(drawn, threshold)[share]);
  return {
    name,
    cases: outcomes.filter(({ positive }) => positive).length,
    auc: rocAuc(outcomes),
    aucInterval: intervalOfClass(rocAuc),
    atThreshold: decisionQuality(outcomes, threshold),
    atThresholdIntervals: {
      sensitivity: shareInterval('sensitivity'),
      specificity: shareInterval('specificity'),
      ppv: shareInterval('ppv'),
      npv: shareInterval('npv'),
    },
    roc: rocCurve(outcomes),
    reliability,
    expectedCalibrationError: expectedCalibrationError(reliability),
    expectedCalibrationErrorInterval: intervalOfClass(calibrationErrorOf),
  };
}

/** 95 %; null where there is too little to draw from. */
function intervalOf(
  cases: readonly ClassifiedCase[],
  figureOf: (drawn: readonly ClassifiedCase[]) => number | null,
): Interval | null {
  return bootstrapInterval(cases, figureOf, { patientOf }) ?? null;
}

/** The most probable class of each case: how probable, and whether it is the true one. */
function sureness(cases: readonly ClassifiedCase[]): ScoredOutcome[] {
  return cases.map(({ label, called, probabilities }) => ({
    probability: probabilities[called] ?? 0,
    positive: label === called,
  }));
}

function calibrationErrorOf(outcomes: readonly ScoredOutcome[]): number {
  return expectedCalibrationError(reliabilityCurve(outcomes));
}

function outcomesOf(cases: readonly ClassifiedCase[], index: number): ScoredOutcome[] {
  return cases.map(({ label, probabilities }) => ({ probability: probabilities[index] ?? 0, positive: label === index }));
}

/** Of the second of two classes, or the mean over those of more that have an area; null when none has. */
export function meanAuc(cases: readonly ClassifiedCase[], count: number): number | null {
  const areas = judgedClasses(count).flatMap((index) => rocAuc(outcomesOf(cases, index)) ?? []);
  return areas.length === 0 ? null : mean(areas);
}

function accuracyOf(cases: readonly ClassifiedCase[]): number {
  return mean(cases.map(({ label, called }) => (label === called ? 1 : 0)));
}

/** The first of the largest. */
export function mostProbable(probabilities: readonly number[]): number {
  return probabilities.reduce((best, value, index) => (value > (probabilities[best] ?? -Infinity) ? index : best), 0);
}

/** One line per case: its true and its called class, and the probability of each. */
export function formatClassificationCsv({ classNames, cases, folds }: ClassificationReport): string {
  const probabilityNames = classNames.map((name) => `probability_${name}`);
  const headers = ['case', 'patient', 'class', 'predicted', ...probabilityNames, ...(folds === undefined ? [] : ['fold'])];
  const nameOf = (index: number): string => classNames[index] ?? '';
  return csvTable(
    headers,
    cases.map(({ name, patient, label, called, probabilities, fold }) => [
      name,
      patient,
      nameOf(label),
      nameOf(called),
      ...probabilities,
      ...(fold === undefined ? [] : [fold]),
    ]),
  );
}

/** Writes results.json and results.csv into the folder and returns their paths. */
export async function writeClassificationReport(
  folder: string,
  report: ClassificationReport,
): Promise<{ json: string; csv: string }> {
  const [json, csv] = [join(folder, 'results.json'), join(folder, 'results.csv')];
  await writeRecord(json, report);
  await writeFileWhole(csv, [Buffer.from(formatClassificationCsv(report))]);
  return { json, csv };
}
