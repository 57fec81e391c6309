/** Squared distances between updates, each pair once: memory grows with the square of the number of sites and with nothing else. */
export class PairDistances {
  constructor(
    readonly updates: number,
    /** Row by row of the lower triangle: (1,0), (2,0), (2,1), (3,0) … */
    readonly squared: Float64Array = new Float64Array(pairCount(updates)),
  ) {}

  between(a: number, b: number): number {
    return a === b ? 0 : (this.squared[pairIndex(Math.max(a, b), Math.min(a, b))] as number);
  }

  /** Adds what another part of the model contributes. */
  add(part: Float64Array): void {
    for (let i = 0; i < part.length; i++) this.squared[i] = (this.squared[i] as number) + (part[i] as number);
  }
}

export function pairCount(updates: number): number {
  return (updates * (updates - 1)) / 2;
}

/** The place of the pair in the lower triangle; `larger` > `smaller`. */
export function pairIndex(larger: number, smaller: number): number {
  return pairCount(larger) + smaller;
}
