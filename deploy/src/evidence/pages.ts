/** The evidence pages: what was compared, tables of what came out, and curves; written from the results alone. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bestSingleSites,
  type Cell,
  cellsOf,
  type Difference,
  differencesFrom,
  type FinishedRun,
  labelsToReach,
} from './comparisons.js';
import { type Chart, courseCharts, labelCharts } from './page-charts.js';
import { probeLines } from './page-probes.js';
import type { Protocol } from './protocol.js';
import type { RunResult, RunStore } from './run-store.js';
import type { EvidenceRun, FinetuningRun } from './work-list.js';

const SCRATCH_ARM = 'scratch';
const CENTRAL_ARM = 'universal-central';
const FEDERATED_ARM = 'universal-federated';
const FEDERATED_ARMS = [FEDERATED_ARM, 'universal-one-modality'];
/** Ends the names of arms that start from pretrainings by other seeds. */
const AGAIN = '-again';
/** Pretrained on all sites' scans; the first has the objective that the single sites have, too. */
const POOLED_ARMS = ['genesis-central', CENTRAL_ARM, ...FEDERATED_ARMS];

const OTHER_MAKING =
  '\\* starts, with some seeds or all, from the pretrained model made again on another processor, with other bytes than those of the model in the first table.';

/** Writes README.md and the curves into the folder. */
export function writePages(protocol: Protocol, runs: readonly EvidenceRun[], store: RunStore, folder: string): void {
  const finished = runs.flatMap((run): FinishedRun[] => {
    const result = run.kind === 'finetuning' ? store.find(run) : undefined;
    if (run.kind !== 'finetuning' || result === undefined) return [];
    return [{ run, result, isFromOtherMaking: isFromOtherMaking(run, result, store) }];
  });
  const cells = cellsOf(protocol, finished);
  mkdirSync(join(folder, 'curves'), { recursive: true });
  const charts = [...labelCharts(protocol, cells), ...courseCharts(protocol, finished)];
  for (const { file, svg } of charts) writeFileSync(join(folder, 'curves', file), svg);
  const text = [
    '# Evidence',
    '',
    'Written by `npm run evidence` from the files in [runs](runs): do not edit. Research software, not a medical device.',
    '',
    ...progressLines(runs, store),
    ...pretrainingLines(protocol, runs, store),
    ...probeLines(protocol, runs, store),
    ...Object.keys(protocol.tasks).flatMap((task) => taskLines(protocol, task, cells, charts)),
    ...armLines(protocol),
  ].join('\n');
  writeFileSync(join(folder, 'README.md'), `${text}\n`);
}

/** Whether a run starts from a model of other bytes than the result of its pretraining tells of. */
function isFromOtherMaking({ from }: FinetuningRun, { startDigest }: RunResult, store: RunStore): boolean {
  const recorded = from === undefined ? undefined : store.find(from);
  return recorded !== undefined && recorded.modelDigest !== startDigest;
}

function progressLines(runs: readonly EvidenceRun[], store: RunStore): string[] {
  const results = runs.flatMap((run) => store.find(run) ?? []);
  const doneOf = (further: boolean): string => {
    const own = runs.filter((run) => run.further === further);
    return `${own.filter((run) => store.find(run) !== undefined).length} of ${own.length}`;
  };
  const hours = results.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0) / 3600;
  const machines = [
    ...new Set(
      results.map(({ machine }) => {
        const { processor, vectors, cores } = machine;
        return [processor, ...(vectors === undefined ? [] : [vectors]), `${cores} cores`].join(', ');
      }),
    ),
  ];
  return [
    `${doneOf(false)} runs are done, and ${doneOf(true)} of further questions that their results raised; their wall times add up to`,
    `${hours.toFixed(1)} hours (${machines.join('; ') || 'nowhere yet'}; two runs at a time, and other work beside some).`,
    '',
  ];
}

function pretrainingLines(protocol: Protocol, runs: readonly EvidenceRun[], store: RunStore): string[] {
  const rows = runs.flatMap((run) => {
    const figures = run.kind === 'pretraining' ? store.find(run)?.figures : undefined;
    if (run.kind !== 'pretraining' || figures === undefined) return [];
    const shown = (name: string): string => numberText(figures[name] ?? undefined);
    const groups = Object.keys(figures).filter((name) => name.startsWith('skill.') && name !== 'skill.all');
    const modalities = ['skill.CT', 'skill.MR'].map(shown);
    const treatments = groups.filter((name) => !/CT|MR/.test(name)).map((name) => `${name.slice(6)} ${shown(name)}`);
    return [`| ${run.name} | ${run.seed} | ${shown('skill.all')} | ${modalities.join(' | ')} | ${treatments.join(', ')} |`];
  });
  if (rows.length === 0) return [];
  return [
    '## Pretrained models',
    '',
    'Restoration skill = 1 − MSE / MSE of the best constant, on held-out volumes (in a federation: on the sites’ own probes). Below 0.1 a',
    'model has not learned. One painted patch in ten is in-painted in these recipes: that figure rests on few voxels of nearly one grey.',
    '',
    '| pretraining | seed | skill | CT | MR | by what was done to a voxel |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...Object.entries(protocol.pretrainings).map(([name, { describe }]) => `- **${name}**: ${describe}`),
    '',
  ];
}

function taskLines(protocol: Protocol, task: string, cells: readonly Cell[], charts: readonly Chart[]): string[] {
  const own = cells.filter(({ taskName }) => taskName === task);
  const plan = protocol.tasks[task];
  if (own.length === 0 || plan === undefined) return [];
  const differences = differencesFrom(SCRATCH_ARM, own);
  const rows = own.map((cell) => {
    const difference = differences.find((one) => one.cell === cell);
    const steps = cell.stepsToBest === undefined ? '–' : Math.round(cell.stepsToBest);
    return `| ${cell.labels ?? 'all'} | ${armText(cell)} | ${cell.seeds} | ${meanText(cell)} | ${differenceText(difference)} | ${steps} |`;
  });
  return [
    `## ${task}`,
    '',
    plan.describe,
    '',
    `| labels | arm | seeds | ${plan.metric} | difference from scratch | steps to best |`,
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...(own.some((cell) => cell.isFromOtherMaking) ? [OTHER_MAKING, ''] : []),
    ...charts.filter((chart) => chart.task === task).map(({ file, title }) => `![${title}](curves/${file})\n`),
    ...savingLines(own, plan.labels ?? []),
    ...federationLines(own),
    ...singleSiteLines(own, bestSingleSites(protocol, own)),
  ];
}

/** Federated against centralised: what is lost by leaving the scans where they are. */
function federationLines(cells: readonly Cell[]): string[] {
  return [
    ...besideLines(CENTRAL_ARM, FEDERATED_ARMS, cells),
    ...besideLines(`${CENTRAL_ARM}${AGAIN}`, [`${FEDERATED_ARM}${AGAIN}`], cells),
  ];
}

function besideLines(central: string, federated: readonly string[], cells: readonly Cell[]): string[] {
  const rows = differencesFrom(central, cells)
    .filter(({ cell }) => federated.includes(cell.arm))
    .map((difference) => {
      const { cell } = difference;
      return `| ${cell.labels ?? 'all'} | ${armText(cell)} | ${differenceText(difference)} |`;
    });
  if (rows.length === 0) return [];
  return [`Federated beside ${central}:`, '', '| labels | arm | difference |', '| --- | --- | --- |', ...rows, ''];
}

/** Every pretraining over all sites against the best of them alone: what a site wins by taking part. */
function singleSiteLines(cells: readonly Cell[], best: readonly Cell[]): string[] {
  const rows = best.flatMap((single) =>
    differencesFrom(
      single.arm,
      cells.filter(({ labels }) => labels === single.labels),
    )
      .filter(({ cell }) => POOLED_ARMS.includes(cell.arm))
      .map((difference) => {
        const alone = `${single.arm}, ${meanText(single)}`;
        return `| ${single.labels ?? 'all'} | ${alone} | ${armText(difference.cell)} | ${differenceText(difference)} |`;
      }),
  );
  if (rows.length === 0) return [];
  return [
    'Beside the best single site, chosen by its validation cases; single sites have the objective of genesis-central:',
    '',
    '| labels | best single site | arm | difference |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ];
}

/** How many labels each arm that was run with all of them needs for what scratch reaches with these; nothing before scratch was. */
function savingLines(cells: readonly Cell[], counts: readonly number[]): string[] {
  const curveOf = (arm: string) =>
    cells.flatMap((cell) => (cell.arm === arm && cell.labels !== undefined ? [{ labels: cell.labels, mean: cell.mean }] : []));
  const scratch = curveOf(SCRATCH_ARM);
  const full = scratch.find(({ labels }) => labels === Math.max(...counts));
  if (full === undefined || scratch.length < 2) return [];
  const rows = cells.flatMap(({ arm, labels }) => {
    if (labels !== full.labels) return [];
    const needed = labelsToReach(full.mean, curveOf(arm));
    const saved =
      needed === undefined ? 'not reached' : `${Math.round(needed)} (${Math.round(100 * (1 - needed / full.labels))} % fewer)`;
    return [`| ${arm} | ${saved} |`];
  });
  return [
    `Labels needed for scratch's ${full.mean.toFixed(3)} with ${full.labels}:`,
    '',
    '| arm | labels |',
    '| --- | --- |',
    ...rows,
    '',
  ];
}

function armLines({ arms, seeds }: Protocol): string[] {
  return [
    '## Arms',
    '',
    ...Object.entries(arms).map(([name, { describe }]) => `- **${name}**: ${describe}`),
    '',
    `Every arm has the same schedule, seeds (${seeds.join(', ')}) and tuning. Weights are chosen on validation cases; test cases are scored once.`,
    'Differences: mean over the held-out cases of the seeds’ mean, with a 95 % bootstrap interval over cases and the p of Wilcoxon’s',
    'signed-rank test, not corrected for the number of comparisons. Areas under the ROC curve are of all cases together: their interval',
    'draws patients anew, the same ones for both arms.',
    '',
  ];
}

function armText({ arm, isFromOtherMaking }: Cell): string {
  return isFromOtherMaking ? `${arm} \\*` : arm;
}

function meanText({ mean, deviation }: Cell): string {
  return Number.isFinite(deviation) ? `${mean.toFixed(3)} ± ${deviation.toFixed(3)}` : mean.toFixed(3);
}

function differenceText(difference: Difference | undefined): string {
  if (difference === undefined) return '–';
  const { mean, interval, p } = difference;
  const range = interval === undefined ? '' : ` (${signed(interval.low)} to ${signed(interval.high)})`;
  return `${signed(mean)}${range}${Number.isNaN(p) ? '' : `, p ${p < 0.001 ? '< 0.001' : p.toFixed(3)}`}`;
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}

function numberText(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(3).replace('-', '−');
}
