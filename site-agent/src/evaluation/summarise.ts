import { bootstrapInterval, type Interval } from './metrics/bootstrap.js';
import { mean, standardDeviation } from './metrics/mean.js';
import { percentile } from './metrics/percentile.js';

/** One figure over cases. */
export interface FigureSummary {
  /** Cases that have the figure, and those that have none (a distance from an empty mask, a share of nothing). */
  readonly cases: number;
  readonly undefinedCases: number;
  /** Null when no case has the figure; the standard deviation also when one has. */
  readonly mean: number | null;
  readonly standardDeviation: number | null;
  readonly median: number | null;
  /** 95 % bootstrap interval of the mean, drawn by patient; null below three patients. */
  readonly interval: Interval | null;
}

export interface PatientFigure {
  readonly patient: string;
  readonly value: number | null;
}

export function summarise(figures: readonly PatientFigure[]): FigureSummary {
  const known = figures.flatMap(({ patient, value }) => (value === null ? [] : [{ patient, value }]));
  const values = known.map(({ value }) => value);
  const interval = bootstrapInterval(known, (drawn) => mean(drawn.map(({ value }) => value)), {
    patientOf: ({ patient }) => patient,
  });
  return {
    cases: values.length,
    undefinedCases: figures.length - values.length,
    mean: finite(mean(values)),
    standardDeviation: finite(standardDeviation(values)),
    median: finite(percentile(values, 0.5)),
    interval: interval ?? null,
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
