import { invariant } from '@consilium/shared/kernel';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';
import { Variable } from './variable.js';

/**
 * A sum that grows in place: a variable takes over the memory of the first summand, and the others are added to it there,
 * where an addition would make a third tensor as large.
 */
export class RunningSum {
  private first: Tensor | undefined;
  private variable: Variable | undefined;

  constructor(private readonly runtime: Runtime) {}

  /** Takes over the summand; no other tensor may share its memory, or it is copied. */
  add(summand: Tensor): void {
    if (this.variable !== undefined) return this.variable.addAndFree(summand);
    if (this.first === undefined) {
      this.first = summand;
      return;
    }
    this.variable = new Variable(this.runtime, summand.shape);
    this.variable.take(this.first);
    this.variable.addAndFree(summand);
  }

  /** The sum, owned by the caller; ends it. */
  take(): Tensor {
    const sum = this.variable?.view() ?? this.first;
    invariant(sum !== undefined, 'a sum has a summand');
    this.variable?.dispose();
    return sum;
  }
}
