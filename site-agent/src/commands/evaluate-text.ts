import { formatTable } from '@consilium/shared/terminal';
import type { ClassificationFigures } from '../evaluation/evaluate-classification.js';
import type { SegmentationFigures } from '../evaluation/evaluate-segmentation.js';
import { SCRATCH } from '../finetuning/tasks/finetune-case.js';
import type { Interval } from '../evaluation/metrics/bootstrap.js';

/** A segmentation's scores for people: each case and class, then the means and what pretraining gained. */
export function describeSegmentation(figures: SegmentationFigures, outputFolder: string): string {
  const rows = figures.cases.flatMap((entry) =>
    entry.classes.map((score) => [
      entry.name,
      score.name,
      shown(score.dice),
      shown(score.foregroundIou),
      shown(score.hd95Mm, 1),
      shown(score.assdMm, 2),
      shown(score.predictedMl, 2),
      shown(score.labelledMl, 2),
    ]),
  );
  const headers = ['case', 'class', 'Dice', 'IoU', 'HD95 mm', 'ASSD mm', 'predicted ml', 'labelled ml'];
  const align = headers.map((_, column) => (column < 2 ? undefined : ('right' as const)));
  const range = figures.meanDiceInterval === null ? '' : `, 95 % bootstrap interval ${rangeText(figures.meanDiceInterval)}`;
  const { scratch, comparison } = figures;
  return [
    formatTable(headers, rows, { align }),
    '',
    ...(figures.folds ?? []).map(({ fold, cases, meanDice }) => `fold ${fold}: mean Dice ${shown(meanDice)} over ${cases} cases`),
    `mean Dice ${shown(figures.meanDice)} over ${figures.cases.length} cases${range}`,
    ...(scratch === null || comparison === null
      ? missingScratch(figures)
      : [
          `from scratch ${shown(scratch.meanDice)}; difference ${differenceText(comparison.meanDifference, comparison.interval)} ` +
            `over ${comparison.pairs.length} cases, signed-rank p ${comparison.test.p.toPrecision(2)}`,
        ]),
    ...figures.classes.flatMap(({ name, legacyGenesisIou }) =>
      legacyGenesisIou === undefined ? [] : [`legacyGenesisIou of ${name} ${legacyGenesisIou.toFixed(4)} (no foreground IoU)`],
    ),
    filesText(outputFolder),
  ].join('\n');
}

/** The same of a classifier. */
export function describeClassification(figures: ClassificationFigures, outputFolder: string): string {
  const headers = ['class', 'cases', 'AUC', 'sensitivity', 'specificity', 'PPV', 'NPV', 'ECE'];
  const rows = figures.classes.map(({ name, cases, auc, atThreshold: at, expectedCalibrationError }) => [
    name,
    cases,
    ...[auc, at.sensitivity, at.specificity, at.ppv, at.npv, expectedCalibrationError].map((value) => shown(value)),
  ]);
  const align = headers.map((_, column) => (column === 0 ? undefined : ('right' as const)));
  const range = figures.aucInterval === null ? '' : ` (${rangeText(figures.aucInterval)})`;
  const { scratch, comparison } = figures;
  return [
    formatTable(headers, rows, { align }),
    '',
    ...foldLines(figures),
    `AUC ${shown(figures.auc)}${range}, accuracy ${shown(figures.accuracy)}, Brier score ${shown(figures.brier)} over ${figures.cases.length} cases`,
    ...(scratch === null || comparison === null
      ? missingScratch(figures)
      : [
          `from scratch AUC ${shown(scratch.auc)}; difference ${differenceText(comparison.aucDifference, comparison.aucInterval)}`,
        ]),
    filesText(outputFolder),
  ].join('\n');
}

/** Of a model that began with pretrained weights. */
function missingScratch({ startedFrom }: Pick<SegmentationFigures, 'startedFrom'>): string[] {
  if (startedFrom === null || startedFrom === SCRATCH) return [];
  return ['no scratch run beside it: what pretraining gained is not known ("finetune" again with --compare-scratch adds one)'];
}

function foldLines({ folds }: ClassificationFigures): string[] {
  if (folds === undefined) return [];
  const range = folds.meanAucInterval === null ? '' : ` (${rangeText(folds.meanAucInterval)})`;
  return [
    ...folds.each.map(({ fold, cases, auc }) => `fold ${fold}: AUC ${shown(auc)} over ${cases} cases`),
    `mean of the folds’ AUCs ${shown(folds.meanAuc)}${range}; the following is of all cases together`,
  ];
}

function shown(value: number | null, digits = 3): string {
  return value === null || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}

function rangeText({ low, high }: Interval): string {
  return `${shown(low)} to ${shown(high)}`;
}

function differenceText(difference: number | null, interval: Interval | null): string {
  const sign = difference !== null && difference > 0 ? '+' : '';
  return `${sign}${shown(difference)}${interval === null ? '' : ` (${rangeText(interval)})`}`;
}

function filesText(outputFolder: string): string {
  return `report.html, results.json and results.csv are in ${outputFolder}`;
}
