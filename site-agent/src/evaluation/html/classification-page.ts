import { shortDigest } from '@consilium/shared/kernel';
import type { ClassificationReport, ClassifiedCase, ClassQuality } from '../classification-report.js';
import type { ClassificationComparison } from '../compare-classifiers.js';
import type { ReliabilityBin } from '../metrics/calibration.js';
import type { RocPoint } from '../metrics/roc.js';
import type { RunCourse } from '../training-course.js';
import { chartFigure, type ChartLine } from './chart.js';
import { comparisonSection, missingComparison } from './comparison-section.js';
import { courseSection } from './course-charts.js';
import { type DrawnBin, diagonal, reliabilityChart } from './reliability-chart.js';
import {
  figureText,
  withInterval,
  FOLDS_NOTE,
  intervalText,
  modelLine,
  refusedSection,
  renderPage,
  section,
  table,
  tiles,
} from './page.js';

export interface ClassificationFindings {
  readonly report: ClassificationReport;
  /** One, or one of each fold. */
  readonly courses: readonly RunCourse[];
  /** Of the same schedule from scratch, where there is one. */
  readonly scratch: { readonly report: ClassificationReport; readonly comparison: ClassificationComparison } | undefined;
}

export function renderClassificationPage({ report, courses, scratch }: ClassificationFindings): string {
  const lead = `${tiles([
    ...(report.folds === undefined
      ? []
      : [
          [figureText(report.folds.meanAuc), 'mean of the folds’ areas under the ROC curve'] as const,
          [intervalText(report.folds.meanAucInterval), '95 % interval of it'] as const,
        ]),
    [figureText(report.auc), report.folds === undefined ? 'area under the ROC curve' : 'area over all folds together'],
    [intervalText(report.aucInterval), '95 % interval of it'],
    ...(scratch === undefined ? [] : [[figureText(scratch.report.auc), 'area from scratch'] as const]),
    [figureText(report.accuracy), 'accuracy'],
    [figureText(report.brier), 'Brier score'],
    [String(report.cases.length), 'test cases'],
    ...(report.refused.length > 0 ? [[String(report.refused.length), 'could not be scored'] as const] : []),
  ])}
${modelLine(report.model, report.folds?.each)}`;
  const body = [
    qualitySection(report),
    foldSection(report, scratch?.report),
    scratch === undefined
      ? missingComparison(courses)
      : areaSection(scratch.comparison) + comparisonSection(scratch.comparison.trueClass, WATCHED),
    rocSection(report.classes, scratch?.report.classes),
    calibrationSection(report, scratch?.report),
    confusionSection(report),
    caseSection(report),
    refusedSection(report),
    courseSection(courses),
  ];
  return renderPage(`Evaluation: ${report.task}`, lead, body.filter((part) => part !== '').join('\n'));
}

const WATCHED = 'probability of the true class';

function qualitySection({ classes }: ClassificationReport): string {
  const rows = classes.map(({ name, cases, atThreshold: at, atThresholdIntervals: between, ...own }) => [
    name,
    cases,
    withInterval(own.auc, own.aucInterval),
    at.threshold,
    withInterval(at.sensitivity, between.sensitivity),
    withInterval(at.specificity, between.specificity),
    withInterval(at.ppv, between.ppv),
    withInterval(at.npv, between.npv),
    withInterval(own.expectedCalibrationError, own.expectedCalibrationErrorInterval),
  ]);
  const headers = ['Class', 'Cases of it', 'AUC', 'Threshold', 'Sensitivity', 'Specificity', 'PPV', 'NPV', 'ECE'];
  const note = `<p>Each class is held against all others. Predictive values are those of a collection with as many cases of the class as
this one; where the class is rarer, the positive predictive value is lower.</p>
<p class="faint">AUC: area under the ROC curve. PPV and NPV: positive and negative predictive value. ECE: expected calibration error, 0 at best.
In brackets: 95 % bootstrap intervals, patients drawn.</p>`;
  return section('Quality by class', `${note}\n${table(headers, rows)}`);
}

function foldSection({ folds }: ClassificationReport, scratch: ClassificationReport | undefined): string {
  if (folds === undefined) return '';
  const others = scratch?.folds?.each;
  const rows = folds.each.map(({ fold, cases, auc, accuracy, model }, index) => [
    fold,
    cases,
    auc,
    ...(others === undefined ? [] : [others[index]?.auc ?? null]),
    accuracy,
    model === null ? '' : shortDigest(model),
  ]);
  const headers = ['Fold', 'Cases', 'AUC', ...(others === undefined ? [] : ['AUC from scratch']), 'Accuracy', 'Model'];
  const note = `<p>Mean of the areas within the folds: <b>${figureText(folds.meanAuc)}</b> (95 % interval
${intervalText(folds.meanAucInterval)}). The area over all cases together holds scores of different models against each other, and these
are not on one scale: where the two differ, believe the mean.</p>`;
  return section('Folds', `${FOLDS_NOTE}\n${note}\n${table(headers, rows)}`);
}

function areaSection({ aucDifference, aucInterval }: ClassificationComparison): string {
  return section(
    'Area beside a scratch run',
    `<p>Fine-tuned minus scratch: the area under the ROC curve differs by <b>${figureText(aucDifference)}</b> (95 % interval
${intervalText(aucInterval)}, both models on the same drawn patients).</p>`,
  );
}

function rocSection(classes: readonly ClassQuality[], scratch: readonly ClassQuality[] | undefined): string {
  const line = (name: string, style: string, roc: readonly RocPoint[]): ChartLine => ({
    name,
    style,
    points: roc.map(({ falsePositiveRate, truePositiveRate }) => [falsePositiveRate, truePositiveRate] as const),
  });
  const charts = classes.flatMap(({ name, roc }, index) => {
    if (roc.length === 0) return [];
    const other = scratch?.[index]?.roc ?? [];
    return chartFigure({
      title: `ROC of ${name}`,
      xLabel: '1 − specificity',
      yLabel: 'sensitivity',
      xRange: [0, 1],
      yRange: [0, 1],
      lines: [
        diagonal('chance'),
        line('this model', 'model', roc),
        ...(other.length === 0 ? [] : [line('scratch', 'scratch', other)]),
      ],
    });
  });
  return charts.length === 0 ? '' : section('ROC curves', `<div class="figures">${charts.join('\n')}</div>`);
}

function calibrationSection(
  { classes, reliability, expectedCalibrationError }: ClassificationReport,
  scratch: ClassificationReport | undefined,
): string {
  const drawn = (bins: readonly ReliabilityBin[] = []): DrawnBin[] =>
    bins.map((bin) => ({ ...bin, label: `${bin.cases} cases` }));
  const charts = [
    reliabilityChart('Most probable class', 'share that is right', drawn(reliability), drawn(scratch?.reliability)),
    ...classes.map(({ name, reliability: bins }, index) =>
      reliabilityChart(`Class ${name}`, 'share of the class', drawn(bins), drawn(scratch?.classes[index]?.reliability)),
    ),
  ];
  const rows = reliability.map(({ from, to, cases, meanProbability, observedShare }) => {
    return [`${figureText(from)} to ${figureText(to)}`, cases, meanProbability, observedShare];
  });
  const note = `<p>Points below the dashed line: the model is surer than it may be. Expected calibration error of the most probable class:
<b>${figureText(expectedCalibrationError)}</b>. A bin of few cases says little.</p>`;
  const numbers = table(['Probability', 'Cases', 'Mean probability', 'Share that is right'], rows);
  return section(
    'Calibration',
    `${note}\n<div class="figures">${charts.join('\n')}</div>\n<details><summary>Numbers</summary>${numbers}</details>`,
  );
}

function confusionSection({ classNames, confusion }: ClassificationReport): string {
  const rows = confusion.map((row, label) => [classNames[label] ?? '', ...row]);
  const headers = ['True class', ...classNames.map((name) => `called ${name}`)];
  return section('True and called classes', `<p>The class with the highest probability is called.</p>\n${table(headers, rows)}`);
}

/** Those whose true class got least. */
function caseSection({ cases, classNames, folds }: ClassificationReport): string {
  const own = ({ probabilities, label }: ClassifiedCase): number => probabilities[label] ?? 0;
  const nameOf = (index: number): string => classNames[index] ?? '';
  const rows = cases
    .toSorted((a, b) => own(a) - own(b))
    .map((entry) => [
      entry.name,
      entry.patient === entry.name ? '' : entry.patient,
      ...(entry.fold === undefined ? [] : [entry.fold]),
      nameOf(entry.label),
      nameOf(entry.called),
      entry.label === entry.called ? '' : 'wrong',
      ...entry.probabilities.map((value) => value.toFixed(3)),
    ]);
  const headers = [
    'Case',
    'Patient',
    ...(folds === undefined ? [] : ['Fold']),
    'True',
    'Called',
    '',
    ...classNames.map((name) => `P(${name})`),
  ];
  return section('Cases, worst first', table(headers, rows));
}
