import { formatBytes, formatDuration } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { Interval } from '../evaluation/metrics/bootstrap.js';
import type { FinetuneSummary, TrainedModel } from '../finetuning/finetune-and-evaluate.js';
import type { FoldFigure, FoldsSummary, OutOfFoldFigures } from '../finetuning/finetune-folds.js';
import { finetuneFolder } from '../finetuning/tasks/finetune-folder.js';

/** What a person reads after a fine-tuning. */
export function describeSummary(summary: FinetuneSummary, outputFolder: string, asksForPoints: boolean): string {
  const { model, scratch, cases, kind } = summary;
  const rows = [[startWords(model), model] as const, ...(scratch === null ? [] : [['from scratch', scratch] as const])];
  const score = kind === 'segmentation' ? 'Dice' : 'AUC';
  const table = formatTable(
    ['start', 'steps', 'best step', `validation ${score}`, `${score} on ${cases.test} test cases`, 'training', 'peak memory'],
    rows.map(([name, trained]) => describeRow(name, trained)),
  );
  const folder = finetuneFolder(outputFolder);
  return [
    '',
    `${summary.task}: ${cases.train} labelled cases, ${summary.classes.join(', ')}${describeSpacing(summary)}`,
    table,
    '',
    `model    ${folder.modelFile}`,
    `summary  ${folder.summaryFile}`,
    '',
    ...describeNext(kind, outputFolder, asksForPoints),
  ].join('\n');
}

function describeNext(kind: FinetuneSummary['kind'], outputFolder: string, asksForPoints: boolean): string[] {
  const answers = kind === 'segmentation' ? 'masks' : 'scores';
  return [
    'Next:',
    `  site-agent evaluate ${outputFolder}`,
    `  site-agent predict --model ${outputFolder} --output ${answers} ${asksForPoints ? '--points TABLE.csv' : 'IMAGE|FOLDER'}`,
  ];
}

function describeSpacing({ spacingMm }: FinetuneSummary): string {
  return spacingMm === null ? '' : `; images at ${spacingMm.join(' × ')} mm, scores on their own grids`;
}

function describeRow(name: string, trained: TrainedModel): (string | number)[] {
  const { steps, bestStep, trainingMs, peakResidentBytes } = trained;
  const peak = peakResidentBytes === undefined ? '–' : formatBytes(peakResidentBytes);
  return [name, steps, bestStep, validationScore(trained), testScore(trained), formatDuration(trainingMs), peak];
}

function validationScore({ bestValidationDice, bestValidationAuc }: TrainedModel): string {
  return (bestValidationDice ?? bestValidationAuc)?.toFixed(3) ?? '–';
}

function testScore({ test, classified }: TrainedModel): string {
  if (classified !== null) {
    const accuracy = classified.accuracy === null ? '' : ` (accuracy ${classified.accuracy.toFixed(3)})`;
    return `${classified.auc?.toFixed(3) ?? '–'}${accuracy}`;
  }
  const interval = test?.meanDiceInterval;
  const range = interval ? ` (${interval.low.toFixed(3)}–${interval.high.toFixed(3)})` : '';
  return typeof test?.meanDice === 'number' ? test.meanDice.toFixed(3) + range : '–';
}

/** What a person reads after the folds. */
export function describeFolds(summary: FoldsSummary, outputFolder: string, asksForPoints: boolean): string {
  const rows = summary.runs.map(({ fold, summary: { model, cases } }) => [
    fold,
    `${cases.train} / ${cases.validation} / ${cases.test}`,
    validationScore(model),
    testScore(model),
    model.steps,
  ]);
  const [first] = summary.runs;
  const start = first === undefined ? 'from the model' : startWords(first.summary.model);
  const figures = [
    [start, summary.model] as const,
    ...(summary.scratch === null ? [] : [['from scratch', summary.scratch] as const]),
  ];
  const sums = figures.flatMap(([start, values]) =>
    Object.entries(values).map(([name, figure]) => [start, name, describeFigure(figure), figure.folds]),
  );
  return [
    '',
    formatTable(['fold', 'train / validation / test cases', 'validation', 'test', 'steps'], rows),
    '',
    formatTable(['start', 'figure', 'mean ± sd', 'folds'], sums),
    '',
    ...describeOutOfFold(summary.outOfFold, start),
    `${summary.task}: one folder per fold in ${outputFolder}`,
    ...(summary.outOfFold === null ? [] : [`report.html, results.json and results.csv of all folds together are there too`]),
    ...(first === undefined ? [] : ['', ...describeNext(first.summary.kind, outputFolder, asksForPoints)]),
  ].join('\n');
}

function startWords({ startedFrom }: TrainedModel): string {
  return startedFrom === 'scratch' ? 'from scratch' : 'from the model';
}

function describeOutOfFold(figures: FoldsSummary['outOfFold'], start: string): string[] {
  if (figures === null)
    return ['The report on all folds together is made when all are done: "site-agent evaluate" on their folder.', ''];
  const rows = [[start, figures.model] as const, ...(figures.scratch ? [['from scratch', figures.scratch] as const] : [])];
  return [
    `All ${figures.cases} test cases together, each scored by the model of its fold:`,
    ...rows.map(([start, own]) => `  ${start}: ${outOfFoldWords(own)}`),
    '',
  ];
}

function outOfFoldWords(figures: OutOfFoldFigures): string {
  const shown = (value: number | null): string => value?.toFixed(3) ?? '–';
  const range = (interval: Interval | null): string => (interval ? ` (${shown(interval.low)} to ${shown(interval.high)})` : '');
  if ('meanDice' in figures) return `mean Dice ${shown(figures.meanDice)}${range(figures.meanDiceInterval)}`;
  const { auc, aucInterval, accuracy, folds } = figures;
  const within = folds === undefined ? '' : `, mean of the folds’ AUCs ${shown(folds.meanAuc)}${range(folds.meanAucInterval)}`;
  return `AUC ${shown(auc)}${range(aucInterval)}${within}, accuracy ${shown(accuracy)}`;
}

function describeFigure({ mean, sd }: FoldFigure): string {
  return sd === null ? mean.toFixed(3) : `${mean.toFixed(3)} ± ${sd.toFixed(3)}`;
}
