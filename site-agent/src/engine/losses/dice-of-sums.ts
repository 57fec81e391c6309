/** What soft Dice makes of its three sums, for each channel (and example). */
export interface DiceSums {
  /** Σ p·y */
  readonly overlap: Float32Array;
  /** Σ p */
  readonly predicted: Float32Array;
  /** Σ y */
  readonly wanted: Float32Array;
}

/** The gradient of a probability is factor · y + summand, with one of each per sum. */
export interface DiceValue {
  readonly loss: number;
  readonly factor: Float32Array;
  readonly summand: Float32Array;
}

/** As nnU-Net: keeps 0 / 0 out when nothing is smoothed and a class is absent. */
const LEAST_DENOMINATOR = 1e-8;

/** Share times the mean of 1 − (2Σpy + smoothing) / (Σp + Σy + smoothing) over the sums that count. */
export function diceOfSums(
  { overlap, predicted, wanted }: DiceSums,
  smoothing: number,
  share: number,
  counts: (index: number) => boolean = () => true,
): DiceValue {
  const factor = new Float32Array(overlap.length);
  const summand = new Float32Array(overlap.length);
  const counted = [...overlap.keys()].filter(counts);
  let loss = 0;
  for (const i of counted) {
    const numerator = 2 * (overlap[i] as number) + smoothing;
    const denominator = Math.max((predicted[i] as number) + (wanted[i] as number) + smoothing, LEAST_DENOMINATOR);
    loss += (1 - numerator / denominator) / counted.length;
    factor[i] = (-2 * share) / (counted.length * denominator);
    summand[i] = (share * numerator) / (counted.length * denominator * denominator);
  }
  return { loss: share * loss, factor, summand };
}
