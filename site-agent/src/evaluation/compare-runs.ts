/** Two models on the same cases: only differences within a case tell, since cases differ far more than models do. */
import { bootstrapInterval, type Interval } from './metrics/bootstrap.js';
import { mean } from './metrics/mean.js';
import { signedRankTest, type SignedRankTest } from './metrics/wilcoxon.js';
import type { EvaluationReport } from './segmentation-report.js';

/** A figure of one case. */
export interface ComparedCase {
  readonly name: string;
  readonly patient: string;
  readonly value: number;
}

export interface PairedDifference {
  readonly name: string;
  readonly ours: number;
  readonly other: number;
  readonly difference: number;
}

export interface PairedComparison {
  /** Cases that both models were scored on. */
  readonly pairs: readonly PairedDifference[];
  /** Ours − other; null without a pair. */
  readonly meanDifference: number | null;
  /** 95 % bootstrap interval of the mean difference, drawn by patient; null below three patients. */
  readonly interval: Interval | null;
  /** Wilcoxon's signed-rank test of the patients' mean differences. */
  readonly test: SignedRankTest;
  readonly higher: number;
  readonly lower: number;
}

/** Two segmentation models by the Dice of each case. */
export function compareDice(ours: EvaluationReport, other: EvaluationReport): PairedComparison {
  const casesOf = ({ cases }: EvaluationReport): ComparedCase[] =>
    cases.map(({ name, patient, dice }) => ({ name, patient, value: dice }));
  return comparePaired(casesOf(ours), casesOf(other));
}

export function comparePaired(ours: readonly ComparedCase[], other: readonly ComparedCase[]): PairedComparison {
  const others = new Map(other.map((entry) => [entry.name, entry.value]));
  const pairs = ours.flatMap(({ name, patient, value }) => {
    const theirs = others.get(name);
    return theirs === undefined ? [] : [{ name, patient, ours: value, other: theirs, difference: value - theirs }];
  });
  const differences = pairs.map(({ difference }) => difference);
  const meanOf = (drawn: readonly { readonly difference: number }[]): number => mean(drawn.map(({ difference }) => difference));
  const interval = bootstrapInterval(pairs, meanOf, { patientOf: ({ patient }) => patient });
  return {
    pairs: pairs.map(({ name, ours: value, other: theirs, difference }) => ({ name, ours: value, other: theirs, difference })),
    meanDifference: pairs.length === 0 ? null : mean(differences),
    interval: interval ?? null,
    test: signedRankTest(byPatient(pairs)),
    higher: differences.filter((difference) => difference > 0).length,
    lower: differences.filter((difference) => difference < 0).length,
  };
}

/** Cases of one patient are one observation. */
function byPatient(pairs: readonly { readonly patient: string; readonly difference: number }[]): number[] {
  const patients = new Map<string, number[]>();
  for (const { patient, difference } of pairs) patients.set(patient, [...(patients.get(patient) ?? []), difference]);
  return [...patients.values()].map(mean);
}
