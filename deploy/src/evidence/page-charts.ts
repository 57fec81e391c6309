/** The curves of the evidence pages. */
import { type Series, chartFile } from '@consilium/site-agent/dist/evaluation/html/line-chart.js';
import { mean } from '@consilium/site-agent/dist/evaluation/metrics/mean.js';
import { type Cell, countsOf, type FinishedRun } from './comparisons.js';
import type { Protocol } from './protocol.js';

export interface Chart {
  readonly task: string;
  readonly title: string;
  readonly file: string;
  readonly svg: string;
}

/** The metric against the number of labelled cases, a line per arm. */
export function labelCharts(protocol: Protocol, cells: readonly Cell[]): Chart[] {
  return Object.entries(protocol.tasks).flatMap(([task, { metric }]) => {
    const own = cells.filter(({ taskName, labels }) => taskName === task && labels !== undefined);
    if (new Set(own.map(({ labels }) => labels)).size < 2) return [];
    const series = [...new Set(own.map(({ arm }) => arm))].map((arm) => ({
      name: arm,
      look: lookOf(protocol, arm),
      points: own.flatMap((cell) =>
        cell.arm === arm && cell.labels !== undefined ? [{ x: cell.labels, y: cell.mean, spread: cell.deviation }] : [],
      ),
    }));
    const title = `${task}: ${metric} by number of labels`;
    const svg = chartFile(title, [{ title, xLabel: 'labelled cases', yLabel: metric, logarithmicX: true, series }]);
    return [{ task, title, file: `${task}-labels.svg`, svg }];
  });
}

/**
 * The metric of the validation cases against the steps of the fine-tuning, a line per arm, a file per task and label count; below, the
 * second half of the steps by itself, for the climb before it leaves the end no room to be told apart.
 */
export function courseCharts(protocol: Protocol, finished: readonly FinishedRun[]): Chart[] {
  return Object.entries(protocol.tasks).flatMap(([task, plan]) =>
    countsOf(plan).flatMap((labels) => {
      const own = finished.filter(({ run }) => run.taskName === task && run.labels === labels);
      const series = Object.keys(protocol.arms).flatMap((arm) => courseOf(arm, plan.metric, own, lookOf(protocol, arm)));
      if (series.length === 0) return [];
      const cases = labels === undefined ? 'all labels' : `${labels} labels`;
      const title = `${task}, ${cases}: validation ${plan.metric} in the course of the fine-tuning`;
      const axes = { xLabel: 'steps', yLabel: plan.metric };
      const svg = chartFile(title, [
        { title, ...axes, series },
        { title: 'The second half of the steps', ...axes, series: secondHalf(series) },
      ]);
      return [{ task, title, file: `${task}-${labels ?? 'all'}-course.svg`, svg }];
    }),
  );
}

/** The mean over the seeds that came to a step; a seed that stopped early counts with what it had at last. */
function courseOf(arm: string, metric: string, finished: readonly FinishedRun[], look: number): Series[] {
  const courses = finished.flatMap(({ run, result }) => (run.arm === arm ? [result.curves?.[metric] ?? []] : []));
  const steps = [...new Set(courses.flatMap((course) => course.map(([step]) => step)))].sort((a, b) => a - b);
  if (steps.length === 0) return [];
  const points = steps.map((step) => {
    const values = courses.flatMap((course) => course.findLast(([own]) => own <= step)?.[1] ?? []);
    return { x: step, y: mean(values) };
  });
  return [{ name: arm, points, look }];
}

function secondHalf(series: readonly Series[]): Series[] {
  const last = Math.max(...series.flatMap(({ points }) => points.map(({ x }) => x)));
  return series.map((one) => ({ ...one, points: one.points.filter(({ x }) => x >= last / 2) }));
}

/** The same for an arm in every chart. */
function lookOf({ arms }: Protocol, arm: string): number {
  return Object.keys(arms).indexOf(arm);
}
