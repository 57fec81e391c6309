import { invariant } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';

/** A sum as two 32-bit parts, high + low: 48 bits, which weight files can hold. */
export interface SumInParts {
  readonly high: WeightSet;
  readonly low: WeightSet;
}

/**
 * A weighted sum of gradients. It is kept to 48 bits after every addition, whether it is written down or not: so a sum that went
 * through a file goes on with the same bits.
 */
export class GradientSum {
  private readonly totals: readonly { readonly name: string; readonly shape: readonly number[]; readonly values: Float64Array }[];

  private constructor(like: WeightSet) {
    this.totals = like.map(({ name, shape, values }) => ({ name, shape, values: new Float64Array(values.length) }));
  }

  /** Zero everywhere. */
  static like(tensors: WeightSet): GradientSum {
    return new GradientSum(tensors);
  }

  static from({ high, low }: SumInParts): GradientSum {
    const sum = new GradientSum(high);
    sum.addEach(high, 1);
    sum.addEach(low, 1);
    return sum;
  }

  /** The tensors must be those of {@link like}, in their order. */
  add(gradient: WeightSet, weight: number): void {
    this.addEach(gradient, weight);
    for (const { values } of this.totals) {
      for (let i = 0; i < values.length; i++) {
        const high = Math.fround(values[i] as number);
        values[i] = high + Math.fround((values[i] as number) - high);
      }
    }
  }

  parts(): SumInParts {
    const high = this.rounded((total) => total);
    const low = this.rounded((total) => total - Math.fround(total));
    return { high, low };
  }

  /** The sum times a factor, rounded once to 32 bits. */
  times(factor: number): WeightSet {
    return this.rounded((total) => total * factor);
  }

  private addEach(tensors: WeightSet, weight: number): void {
    invariant(tensors.length === this.totals.length, 'a sum of gradients has the tensors of each of them');
    for (const [index, { name, values }] of this.totals.entries()) {
      const added = tensors[index];
      invariant(added?.name === name && added.values.length === values.length, 'gradients come in one order');
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + weight * (added.values[i] as number);
    }
  }

  private rounded(map: (total: number) => number): WeightSet {
    return this.totals.map(({ name, shape, values }) => ({ name, shape, values: Float32Array.from(values, map) }));
  }
}
