import type { PairedComparison } from '../compare-runs.js';
import { SCRATCH } from '../../finetuning/tasks/finetune-case.js';
import { type RunCourse, startOf } from '../training-course.js';
import { chartFigure } from './chart.js';
import { figureText, intervalText, section, table } from './page.js';

/** In place of a comparison that could be made: of a model that began with pretrained weights. Nothing for other models. */
export function missingComparison(courses: readonly RunCourse[]): string {
  const start = startOf(courses);
  if (start === null || start === SCRATCH) return '';
  return section(
    'Beside a scratch run',
    `<p>No model was trained from scratch beside this one, so this page does not tell what pretraining gained. Give the “finetune”
command again with <code>--compare-scratch</code>: what is trained already is not trained again.</p>`,
  );
}

/** What fine-tuning gained over the same schedule from scratch, case by case. */
export function comparisonSection(comparison: PairedComparison, figure: string): string {
  const { pairs, meanDifference, interval, test, higher, lower } = comparison;
  if (pairs.length === 0) return section('Beside a scratch run', '<p>No case was scored by both models.</p>');
  const evenly = pairs.length - higher - lower;
  const method = test.method === 'exact' ? 'exact' : 'normal approximation';
  const words = `<p>Fine-tuned minus scratch: on ${pairs.length} cases the ${figure} differs on average by
<b>${figureText(meanDifference)}</b> (95 % interval ${intervalText(interval)}). It is higher in ${higher} cases, lower in ${lower}, equal
in ${evenly}. Wilcoxon signed-rank test over patients: p = <b>${test.p < 0.001 ? test.p.toExponential(0) : figureText(test.p)}</b>
(${method}, ${test.pairs} pairs that differ). A difference whose interval holds 0 may be chance; with few cases even a real one does
not show.</p>`;
  const bounds = [0, 1] as const;
  const chart = chartFigure({
    title: `Each case: ${figure}`,
    xLabel: 'scratch',
    yLabel: 'fine-tuned',
    xRange: bounds,
    yRange: bounds,
    lines: [
      {
        name: 'equal',
        style: 'quiet',
        points: [
          [0, 0],
          [1, 1],
        ],
      },
      {
        name: 'a case',
        style: 'model',
        drawn: 'dots',
        points: pairs.map(({ ours, other }) => [other, ours] as const),
        labels: pairs.map(({ name }) => name),
      },
    ],
  });
  const rows = pairs
    .toSorted((a, b) => a.difference - b.difference)
    .map(({ name, ours, other, difference }) => [name, ours, other, difference]);
  return section(
    'Beside a scratch run',
    `${words}\n<div class="figures">${chart}</div>\n<details><summary>Differences of all cases</summary>${table(['Case', 'Fine-tuned', 'Scratch', 'Difference'], rows)}</details>`,
  );
}
