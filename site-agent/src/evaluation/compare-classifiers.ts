import { meanAuc, type ClassificationReport, type ClassifiedCase } from './classification-report.js';
import { comparePaired, type PairedComparison } from './compare-runs.js';
import { bootstrapInterval, type Interval } from './metrics/bootstrap.js';

/** Two classifiers on the same cases. */
export interface ClassificationComparison {
  /** Ours − other; null where either has no area. */
  readonly aucDifference: number | null;
  /** 95 % bootstrap interval, both models on the same drawn patients; null below three. */
  readonly aucInterval: Interval | null;
  /** Of the probability that each case's true class got. */
  readonly trueClass: PairedComparison;
}

export function compareClassifiers(ours: ClassificationReport, other: ClassificationReport): ClassificationComparison {
  const others = new Map(other.cases.map((entry) => [entry.name, entry]));
  const pairs = ours.cases.flatMap((entry) => {
    const theirs = others.get(entry.name);
    return theirs === undefined ? [] : [{ ours: entry, other: theirs }];
  });
  const classes = ours.classNames.length;
  const differenceOf = (drawn: readonly (typeof pairs)[number][]): number | null => {
    const area = (cases: readonly ClassifiedCase[]): number | null => meanAuc(cases, classes);
    const [mine, theirs] = [area(drawn.map((pair) => pair.ours)), area(drawn.map((pair) => pair.other))];
    return mine === null || theirs === null ? null : mine - theirs;
  };
  const interval = bootstrapInterval(pairs, differenceOf, { patientOf: (pair) => pair.ours.patient });
  return {
    aucDifference: differenceOf(pairs),
    aucInterval: interval ?? null,
    trueClass: comparePaired(
      pairs.map((pair) => trueClassOf(pair.ours)),
      pairs.map((pair) => trueClassOf(pair.other)),
    ),
  };
}

function trueClassOf({ name, patient, probabilities, label }: ClassifiedCase) {
  return { name, patient, value: probabilities[label] ?? 0 };
}
