import { formatShare, shortDigest } from '@consilium/shared/kernel';
import { htmlText } from '../../collection/report/visible-text.js';
import type { PairedComparison } from '../compare-runs.js';
import { OVERLAY_LEGEND } from '../overlay/draw-overlay.js';
import type { CaseScore, ClassFigure, ClassSummary, EvaluationReport } from '../segmentation-report.js';
import type { RunCourse } from '../training-course.js';
import { chartFigure } from './chart.js';
import { comparisonSection, missingComparison } from './comparison-section.js';
import { courseSection } from './course-charts.js';
import { type DrawnBin, reliabilityChart } from './reliability-chart.js';
import { figureText, FOLDS_NOTE, intervalText, modelLine, refusedSection, renderPage, section, table, tiles } from './page.js';

export interface SegmentationFindings {
  readonly report: EvaluationReport;
  /** One, or one of each fold. */
  readonly courses: readonly RunCourse[];
  /** Of the same schedule from scratch, where there is one. */
  readonly scratch: { readonly report: EvaluationReport; readonly comparison: PairedComparison } | undefined;
  /** Pictures (PNG) by case; those that are shown, worst cases first. */
  readonly pictures: ReadonlyMap<string, Uint8Array>;
}

const FIGURES: readonly (readonly [key: ClassFigure, name: string])[] = [
  ['dice', 'Dice'],
  ['foregroundIou', 'IoU'],
  ['hd95Mm', 'HD95, mm'],
  ['assdMm', 'ASSD, mm'],
  ['sensitivity', 'Sensitivity'],
  ['ppv', 'PPV'],
  ['expectedCalibrationError', 'ECE'],
];

export function renderSegmentationPage(findings: SegmentationFindings): string {
  const { report, courses, scratch, pictures } = findings;
  const lead = `${tiles([
    [figureText(report.meanDice), 'mean Dice'],
    [intervalText(report.meanDiceInterval), '95 % interval of it'],
    ...(scratch === undefined ? [] : [[figureText(scratch.report.meanDice), 'mean Dice from scratch'] as const]),
    [String(report.cases.length), 'test cases'],
    ...(report.refused.length > 0 ? [[String(report.refused.length), 'could not be scored'] as const] : []),
  ])}
${modelLine(report.model, report.folds)}`;
  const body = [
    classSection(report),
    foldSection(report, scratch?.report),
    scratch === undefined ? missingComparison(courses) : comparisonSection(scratch.comparison, 'mean Dice'),
    distributionSection(report, scratch?.report),
    calibrationSection(report, scratch?.report),
    caseSection(report),
    pictureSection(report, pictures),
    refusedSection(report),
    courseSection(courses),
    legacySection(report),
  ];
  return renderPage(`Evaluation: ${report.task}`, lead, body.filter((part) => part !== '').join('\n'));
}

function classSection({ classes }: EvaluationReport): string {
  const rows = classes.flatMap(({ name, figures }) =>
    FIGURES.map(([key, label]) => {
      const { mean, standardDeviation, median, interval, cases, undefinedCases } = figures[key];
      const without = undefinedCases === 0 ? '' : `${undefinedCases} without`;
      return [name, label, mean, standardDeviation, median, intervalText(interval), cases, without];
    }),
  );
  const note = `<p>Each figure is the mean over the cases that have it. Distances exist only where label and prediction both hold
something: a structure that was missed altogether is counted as “without” and shows in the Dice, which is 0 there.</p>
<p class="faint">IoU: intersection over union of the class. HD95: 95th percentile of the distances between the surfaces, the larger of both
ways. ASSD: mean of these distances. Sensitivity: share of the labelled voxels that were found; PPV: share of the predicted voxels that
are labelled. ECE: expected calibration error of the voxels around the label, 0 at best. SD: standard deviation over the cases.</p>`;
  const headers = ['Class', 'Figure', 'Mean', 'SD', 'Median', '95 % interval of the mean', 'Cases', ''];
  return section('Scores by class', `${note}\n${table(headers, rows)}`);
}

function foldSection({ folds }: EvaluationReport, scratch: EvaluationReport | undefined): string {
  if (folds === undefined) return '';
  const others = scratch?.folds;
  const rows = folds.map(({ fold, cases, meanDice, model }, index) => {
    const own = others === undefined ? [] : [others[index]?.meanDice ?? null];
    return [fold, cases, meanDice, ...own, model === null ? '' : shortDigest(model)];
  });
  const headers = ['Fold', 'Cases', 'Mean Dice', ...(others === undefined ? [] : ['Mean Dice from scratch']), 'Model'];
  return section('Folds', `${FOLDS_NOTE}\n${table(headers, rows)}`);
}

/** One row of dots for each class: a mean hides the cases that failed. */
function distributionSection(report: EvaluationReport, scratch: EvaluationReport | undefined): string {
  const charts = report.classes.map(({ name }, index) => {
    const scoresOf = ({ cases }: EvaluationReport): number[] =>
      cases.map(({ classes }) => classes[index]?.dice ?? 0).toSorted((a, b) => a - b);
    const line = (label: string, style: string, of: EvaluationReport) => {
      const scores = scoresOf(of);
      const points = scores.map((score, at) => [score, (at + 1) / scores.length] as const);
      return { name: label, style, drawn: 'line and dots' as const, points };
    };
    const lines = [line('this model', 'model', report), ...(scratch === undefined ? [] : [line('scratch', 'scratch', scratch)])];
    const title = `Dice of ${name}: share of cases up to each score`;
    return chartFigure({ title, xLabel: 'Dice', yLabel: 'share of cases', xRange: [0, 1], yRange: [0, 1], lines });
  });
  return section('Distribution of scores', `<div class="figures">${charts.join('\n')}</div>`);
}

function calibrationSection({ classes }: EvaluationReport, scratch: EvaluationReport | undefined): string {
  const drawn = (summary: ClassSummary | undefined): DrawnBin[] =>
    (summary?.reliability ?? []).map((bin) => ({ ...bin, label: `${bin.voxels} voxels` }));
  const charts = classes.flatMap((summary, index) => {
    const own = drawn(summary);
    if (own.length === 0) return [];
    return reliabilityChart(`Voxels around ${summary.name}`, 'share of the class', own, drawn(scratch?.classes[index]));
  });
  if (charts.length === 0) return '';
  const note = `<p>A probability of 0.8 should be right in 8 of 10 voxels. Points below the dashed line: the model is surer of the class
than it may be. Counted are the voxels of a box around each case's label that is a tenth wider on each side, over all cases together;
the ECE in the tables is of each case.</p>`;
  return section('Calibration', `${note}\n<div class="figures">${charts.join('\n')}</div>`);
}

/** A page with a picture of every case of a large collection would not open any more. */
const MOST_PICTURES = 24;

/** The cases whose pictures are shown. */
export function shownCases({ cases }: EvaluationReport): CaseScore[] {
  return worstFirst(cases).slice(0, MOST_PICTURES);
}

function worstFirst(cases: readonly CaseScore[]): CaseScore[] {
  return cases.toSorted((a, b) => a.dice - b.dice);
}

function caseSection({ cases, folds }: EvaluationReport): string {
  const rows = worstFirst(cases).flatMap(({ name, patient, classes, fold }) =>
    classes.map((score) => [
      name,
      patient === name ? '' : patient,
      ...(fold === undefined ? [] : [fold]),
      score.name,
      ...FIGURES.map(([key]) => score[key]),
      score.predictedMl,
      score.labelledMl,
    ]),
  );
  const headers = [
    'Case',
    'Patient',
    ...(folds === undefined ? [] : ['Fold']),
    'Class',
    ...FIGURES.map(([, label]) => label),
    'Predicted, ml',
    'Labelled, ml',
  ];
  return section('Cases, worst first', table(headers, rows));
}

function pictureSection(report: EvaluationReport, pictures: ReadonlyMap<string, Uint8Array>): string {
  const figures = worstFirst(report.cases).flatMap(({ name, dice }) => {
    const picture = pictures.get(name);
    if (picture === undefined) return [];
    const data = Buffer.from(picture).toString('base64');
    const caption = htmlText(`${name}: Dice ${figureText(dice)}`);
    return [
      `<figure><figcaption>${caption}</figcaption><img src="data:image/png;base64,${data}" alt="${caption}, three slices with outlines"></figure>`,
    ];
  });
  if (figures.length === 0) return '';
  const share = figures.length < report.cases.length ? ` Shown are the ${figures.length} cases with the lowest Dice.` : '';
  return section('Pictures, worst first', `<p>${OVERLAY_LEGEND}${share}</p>\n<div class="cases">${figures.join('\n')}</div>`);
}

function legacySection({ classes }: EvaluationReport): string {
  const rows = classes.flatMap(({ name, legacyGenesisIou, figures }) =>
    legacyGenesisIou === undefined ? [] : [[name, formatShare(legacyGenesisIou), formatShare(figures.foregroundIou.mean ?? 0)]],
  );
  if (rows.length === 0) return '';
  const note = `<p>The papers on Models Genesis average the intersections over union of background and foreground at ten thresholds.
Background is most of a scan and easy, so that this figure lies far above the foreground's own. Compare it with those papers and with
nothing else.</p>`;
  return section('Legacy “IoU” of Models Genesis', `${note}\n${table(['Class', 'legacyGenesisIou', 'Foreground IoU'], rows)}`);
}
