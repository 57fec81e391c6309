/** What the runs say together: spread over seeds, paired differences over held-out cases, and labels saved. */
import { required } from '@consilium/shared/kernel';
import { bootstrapInterval, type Interval, meanInterval } from '@consilium/site-agent/dist/evaluation/metrics/bootstrap.js';
import { mean, standardDeviation } from '@consilium/site-agent/dist/evaluation/metrics/mean.js';
import { rocAuc } from '@consilium/site-agent/dist/evaluation/metrics/roc.js';
import { signedRankTest } from '@consilium/site-agent/dist/evaluation/metrics/wilcoxon.js';
import type { Protocol, TaskPlan } from './protocol.js';
import type { RunResult } from './run-store.js';
import type { FinetuningRun } from './work-list.js';

export interface FinishedRun {
  readonly run: FinetuningRun;
  readonly result: RunResult;
  /** Whether it starts from a model of other bytes than its pretraining's result tells of: made again on another processor. */
  readonly isFromOtherMaking: boolean;
}

/** One arm at one task and label count, over all its seeds. */
export interface Cell {
  readonly taskName: string;
  readonly labels: number | undefined;
  readonly arm: string;
  readonly seeds: number;
  /** Whether any seed starts from another making of the pretrained model. */
  readonly isFromOtherMaking: boolean;
  readonly mean: number;
  /** Over seeds; NaN for one. */
  readonly deviation: number;
  /** Steps until the best validation, mean over seeds. */
  readonly stepsToBest: number | undefined;
  /** The best validation of a fine-tuning's course, mean over seeds; NaN where it kept none. */
  readonly validation: number;
  /** Mean over seeds, by case. */
  readonly cases: ReadonlyMap<string, number>;
  /** Of a classification: what each seed said of each case. */
  readonly outcomes: ReadonlyMap<string, CaseOutcomes>;
}

export interface CaseOutcomes {
  readonly patient: string;
  readonly positive: boolean;
  /** Of every seed, in the same order for every case. */
  readonly probabilities: readonly number[];
}

/** An arm beside another one on the same held-out cases. */
export interface Difference {
  readonly cell: Cell;
  readonly reference: Cell;
  readonly mean: number;
  readonly interval: Interval | undefined;
  /** Wilcoxon's signed-rank test over the cases, two-sided, not corrected for the number of comparisons; NaN where no case has a score. */
  readonly p: number;
  readonly pairs: number;
}

/** A task's numbers of labels from few to many, as tables and curves show them; it may run them in another order. */
export function countsOf({ labels }: Pick<TaskPlan, 'labels'>): (number | undefined)[] {
  return labels === undefined ? [undefined] : [...labels].sort((a, b) => a - b);
}

/** All cells that have at least one finished run, from few labels to many and in the protocol's order of arms. */
export function cellsOf(protocol: Protocol, finished: readonly FinishedRun[]): Cell[] {
  return Object.entries(protocol.tasks).flatMap(([taskName, task]) =>
    countsOf(task).flatMap((labels) =>
      Object.keys(protocol.arms).flatMap((arm) => {
        const own = finished.filter(({ run }) => run.taskName === taskName && run.labels === labels && run.arm === arm);
        return own.length === 0 ? [] : [cellOf({ taskName, labels, arm }, task.metric, own)];
      }),
    ),
  );
}

function cellOf(place: Pick<Cell, 'taskName' | 'labels' | 'arm'>, metric: string, own: readonly FinishedRun[]): Cell {
  const scores = own.map(({ result }) => required(result.figures[metric], `the ${metric} of ${result.id}`));
  const steps = own.flatMap(({ result }) => result.figures['stepsToBest'] ?? []);
  const names = Object.keys(own[0]?.result.cases ?? {});
  const cases = new Map(names.map((name) => [name, mean(own.map(({ result }) => result.cases?.[name] ?? NaN))]));
  return {
    ...place,
    seeds: own.length,
    isFromOtherMaking: own.some((one) => one.isFromOtherMaking),
    mean: mean(scores),
    deviation: standardDeviation(scores),
    stepsToBest: steps.length === 0 ? undefined : mean(steps),
    validation: mean(own.map(({ result }) => bestOf(result.curves?.[metric] ?? []))),
    cases,
    outcomes: outcomesOf(own),
  };
}

function bestOf(course: readonly (readonly [number, number])[]): number {
  return course.length === 0 ? NaN : Math.max(...course.map(([, score]) => score));
}

function outcomesOf(own: readonly FinishedRun[]): ReadonlyMap<string, CaseOutcomes> {
  const known = own.flatMap(({ result }) => (result.outcomes === undefined ? [] : [result.outcomes]));
  if (known.length < own.length) return new Map();
  return new Map(
    Object.entries(known[0] ?? {}).map(([name, [patient, positive]]) => {
      return [name, { patient, positive, probabilities: known.map((seed) => seed[name]?.[2] ?? NaN) }];
    }),
  );
}

/** Each cell of the named arms beside the reference's cell of the same task and label count, where both have the same cases. */
export function differencesFrom(reference: string, cells: readonly Cell[]): Difference[] {
  return cells.flatMap((cell) => {
    const other = cells.find((one) => one.arm === reference && one.taskName === cell.taskName && one.labels === cell.labels);
    if (other === undefined || other === cell) return [];
    return [cell.outcomes.size > 0 && other.outcomes.size > 0 ? areaDifference(cell, other) : caseDifference(cell, other)];
  });
}

/** Of each task and label count the single site whose model was fine-tuned to the best validation. */
export function bestSingleSites(protocol: Protocol, cells: readonly Cell[]): Cell[] {
  const candidates = cells.filter(({ arm }) => protocol.arms[arm]?.singleSite === true);
  return candidates.filter((cell) =>
    candidates.every(
      (other) => other.taskName !== cell.taskName || other.labels !== cell.labels || other.validation <= cell.validation,
    ),
  );
}

function caseDifference(cell: Cell, reference: Cell): Difference {
  const names = [...cell.cases.keys()].filter((name) => reference.cases.has(name));
  const differences = names.map((name) => (cell.cases.get(name) as number) - (reference.cases.get(name) as number));
  const { p, pairs } = signedRankTest(differences);
  const isEmpty = differences.length === 0;
  const average = isEmpty ? cell.mean - reference.mean : mean(differences);
  return { cell, reference, mean: average, interval: meanInterval(differences), p: isEmpty ? NaN : p, pairs };
}

/** Areas are of all cases together: the interval draws patients anew, the same ones for both arms. */
function areaDifference(cell: Cell, reference: Cell): Difference {
  const shared = [...cell.outcomes].flatMap(([name, ours]) => {
    const theirs = reference.outcomes.get(name);
    return theirs === undefined ? [] : [{ ours, theirs }];
  });
  const figureOf = (drawn: typeof shared): number | null => {
    const ours = meanArea(drawn.map((one) => one.ours));
    const theirs = meanArea(drawn.map((one) => one.theirs));
    return ours === null || theirs === null ? null : ours - theirs;
  };
  const interval = bootstrapInterval(shared, (drawn) => figureOf([...drawn]), { patientOf: ({ ours }) => ours.patient });
  return { cell, reference, mean: cell.mean - reference.mean, interval, p: NaN, pairs: shared.length };
}

/** Over the seeds; null without cases of both classes. */
function meanArea(cases: readonly CaseOutcomes[]): number | null {
  const areas = (cases[0]?.probabilities ?? []).map((_, seed) =>
    rocAuc(cases.map(({ positive, probabilities }) => ({ positive, probability: probabilities[seed] ?? NaN }))),
  );
  return areas.length === 0 || areas.includes(null) ? null : mean(areas as number[]);
}

/**
 * The number of labels with which an arm comes to a score, by straight lines between the counts that were run on a logarithmic
 * axis; undefined when it never does.
 */
export function labelsToReach(
  score: number,
  curve: readonly { readonly labels: number; readonly mean: number }[],
): number | undefined {
  const sorted = [...curve].sort((a, b) => a.labels - b.labels);
  for (const [index, point] of sorted.entries()) {
    if (point.mean < score) continue;
    const before = sorted[index - 1];
    if (before === undefined) return point.labels;
    const share = (score - before.mean) / (point.mean - before.mean);
    return Math.exp(Math.log(before.labels) + share * (Math.log(point.labels) - Math.log(before.labels)));
  }
  return undefined;
}
