/** What a decision at a threshold is worth (Altman and Bland, BMJ 1994), and the table of called against true classes. */
import type { ScoredOutcome } from './roc.js';

/** Null where a share has no denominator: no positive case, no negative one, none that was called positive. */
export interface DecisionQuality {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
  readonly sensitivity: number | null;
  readonly specificity: number | null;
  readonly ppv: number | null;
  readonly npv: number | null;
}

export type DecisionShare = 'sensitivity' | 'specificity' | 'ppv' | 'npv';

/** Cases whose probability reaches the threshold are called positive. */
export function decisionQuality(outcomes: readonly ScoredOutcome[], threshold: number): DecisionQuality {
  const count = (positive: boolean, called: boolean): number =>
    outcomes.filter((outcome) => outcome.positive === positive && outcome.probability >= threshold === called).length;
  const [truePositives, falseNegatives] = [count(true, true), count(true, false)];
  const [falsePositives, trueNegatives] = [count(false, true), count(false, false)];
  return {
    threshold,
    truePositives,
    falsePositives,
    trueNegatives,
    falseNegatives,
    sensitivity: share(truePositives, falseNegatives),
    specificity: share(trueNegatives, falsePositives),
    ppv: share(truePositives, falsePositives),
    npv: share(trueNegatives, falseNegatives),
  };
}

function share(counted: number, others: number): number | null {
  return counted + others === 0 ? null : counted / (counted + others);
}

/** Rows are true classes, columns the called ones; both given as class indices. */
export function confusionTable(
  cases: readonly { readonly label: number; readonly called: number }[],
  classes: number,
): number[][] {
  const table = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const { label, called } of cases) {
    const row = table[label];
    if (row?.[called] !== undefined) row[called]++;
  }
  return table;
}
