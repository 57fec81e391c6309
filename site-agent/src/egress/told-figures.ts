import type { Progress, ScoreReport, ToldReport } from '@consilium/shared/wire';
import { mayLeave, type Metric, type SitePolicy } from '../policy/site-policy.js';

/** The figure that each field of a report counts as; fields that are not here weight the average and always leave. */
const REPORT_METRICS: Readonly<Record<Exclude<keyof ToldReport, 'steps' | 'patches'>, Metric>> = {
  meanLoss: 'loss',
  lastLoss: 'loss',
  trainingMs: 'time',
  waitedMs: 'time',
  volumes: 'volumes',
  baseScore: 'score',
  deltaNorm: 'norms',
  encodingError: 'norms',
  monitors: 'monitors',
};

/** The report without what the policy keeps at the site. */
export function toldReport(report: ToldReport, policy: SitePolicy): ToldReport {
  const isTold = (field: string): boolean => {
    const metric = Object.hasOwn(REPORT_METRICS, field) ? REPORT_METRICS[field as keyof typeof REPORT_METRICS] : undefined;
    return metric === undefined || mayLeave(policy, metric);
  };
  const told = keepFields(report, isTold);
  const { baseScore } = told;
  return baseScore === undefined ? told : { ...told, baseScore: toldScore(baseScore, policy) };
}

/** The same of a version's score. */
export function toldScoreReport(report: ScoreReport, policy: SitePolicy): ScoreReport {
  const { monitors, ...rest } = report;
  const told = { ...rest, score: toldScore(report.score, policy) };
  return monitors !== undefined && mayLeave(policy, 'monitors') ? { ...told, monitors } : told;
}

/** The same of progress. */
export function toldProgress(progress: Progress, policy: SitePolicy): Progress {
  return keepFields(progress, (field) => {
    if (field === 'loss') return mayLeave(policy, 'loss');
    return field !== 'figures' || mayLeave(policy, 'figures');
  });
}

function toldScore<Score extends ScoreReport['score']>(score: Score, policy: SitePolicy): Score {
  return mayLeave(policy, 'groups') ? score : keepFields(score, (field) => field !== 'groups');
}

/** Only fields that the type lets be absent are ever left out. */
function keepFields<Told extends object>(told: Told, isKept: (field: string) => boolean): Told {
  return Object.fromEntries(Object.entries(told).filter(([field, value]) => value !== undefined && isKept(field))) as Told;
}
