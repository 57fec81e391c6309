import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';
import { Variable } from './variable.js';

/**
 * A named tensor that training moves without a gradient, such as a running mean (PyTorch: a buffer). It is loaded, read and
 * saved with the weights; optimizers never see it.
 */
export class Statistic {
  private readonly variable: Variable;

  constructor(
    runtime: Runtime,
    readonly name: string,
    readonly shape: readonly number[],
  ) {
    this.variable = new Variable(runtime, shape);
  }

  /** The value; the caller frees it before the next {@link set}. */
  view(): Tensor {
    return this.variable.view();
  }

  /** Replaces the value and takes over the tensor, of 32-bit floats. */
  set(value: Tensor): void {
    this.variable.take(value);
  }

  /** Takes over `values`. */
  load(values: Float32Array): void {
    this.variable.assign(values);
  }

  read(): Float32Array {
    return this.variable.read();
  }

  dispose(): void {
    this.variable.dispose();
  }
}
