/**
 * Percentile bootstrap (Efron, Annals of Statistics 1979; Efron and Tibshirani 1993, chapter 13). What is drawn again is the
 * patient, not the case: several cases of one patient are no independent evidence (Davison and Hinkley 1997, section 3.8).
 */
import { Random } from '@consilium/shared/kernel';
import { mean } from './mean.js';
import { percentileOfSorted } from './percentile.js';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;
/** An interval of a figure that hardly any draw has (such as an area without negative cases) would be of other data. */
const LEAST_DEFINED_SHARE = 0.9;

/** Units that are drawn together. */
export interface BootstrapPlan<T> {
  /** Cases with the same answer belong to one patient; each case stands for itself when left out. */
  readonly patientOf?: ((value: T) => string) | undefined;
  /** Seeded, so that a report can be made again. */
  readonly seed?: string;
}

/**
 * 95 % interval of a figure of cases. Draws without the figure (null) are passed over. Undefined below three patients, and
 * when a tenth of the draws have no such figure: there is too little to draw from.
 */
export function bootstrapInterval<T>(
  values: readonly T[],
  figureOf: (values: readonly T[]) => number | null,
  { patientOf, seed = 'bootstrap' }: BootstrapPlan<T> = {},
): Interval | undefined {
  const patients = groupBy(values, patientOf);
  if (patients.length < 3) return undefined;
  const random = new Random(seed);
  const figures = Array.from({ length: RESAMPLES }, () => {
    const drawn = patients.flatMap(() => patients[random.integer(0, patients.length - 1)] ?? []);
    return figureOf(drawn);
  }).filter((figure) => figure !== null && Number.isFinite(figure));
  if (figures.length < LEAST_DEFINED_SHARE * RESAMPLES) return undefined;
  const sorted = Float64Array.from(figures as number[]).sort();
  return { low: percentileOfSorted(sorted, 0.025), high: percentileOfSorted(sorted, 0.975) };
}

/** The interval of a mean. */
export function meanInterval(values: readonly number[]): Interval | undefined {
  return bootstrapInterval(values, mean);
}

function groupBy<T>(values: readonly T[], keyOf: ((value: T) => string) | undefined): T[][] {
  if (keyOf === undefined) return values.map((value) => [value]);
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return [...groups.values()];
}
