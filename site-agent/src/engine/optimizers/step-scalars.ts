import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

/** Scalars that the operations of one step share: one tensor per value. */
export class StepScalars {
  private readonly tensors = new Map<number, Tensor>();

  constructor(private readonly runtime: Runtime) {}

  /** Valid until {@link free}, which frees it: the caller must not. */
  of(value: number): Tensor {
    const known = this.tensors.get(value);
    if (known !== undefined) return known;
    const made = this.runtime.scalar(value);
    this.tensors.set(value, made);
    return made;
  }

  free(): void {
    for (const tensor of this.tensors.values()) tensor.free();
    this.tensors.clear();
  }
}
