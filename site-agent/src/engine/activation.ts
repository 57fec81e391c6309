import { invariant } from '@consilium/shared/kernel';
import { FLOAT } from './attributes.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/**
 * A tensor on its way through the network, with the gradient that its readers leave for it on the way back.
 * A layer takes over one ownership of the tensor it reads; before a second reader, call {@link keep}.
 */
export class Activation {
  private gradient: Tensor | undefined;

  constructor(
    private readonly runtime: Runtime,
    readonly tensor: Tensor,
    /** False for network inputs: no reader computes a gradient for them. */
    readonly wantsGradient: boolean,
  ) {}

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  keep(): this {
    this.tensor.keep();
    return this;
  }

  /** Adds one reader's gradient and takes it over. */
  addGradient(gradient: Tensor): void {
    this.gradient = this.gradient === undefined ? gradient : sumAndFree(this.runtime, this.gradient, gradient);
  }

  /** The sum over all readers; the caller owns it. */
  takeGradient(): Tensor {
    const { gradient } = this;
    invariant(gradient !== undefined, 'every reader of an activation leaves a gradient');
    this.gradient = undefined;
    return gradient;
  }
}

/** left + right; frees both. */
export function sumAndFree(runtime: Runtime, left: Tensor, right: Tensor): Tensor {
  const sum = runtime.runOne('AddV2', FLOAT, [left, right]);
  left.free();
  right.free();
  return sum;
}
