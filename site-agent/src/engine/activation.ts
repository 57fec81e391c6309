import { invariant } from '@consilium/shared/kernel';
import { SAME_TYPE } from './attributes.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/** A value that a layer needs again on the way back: kept, or made again from what its maker kept. */
export interface Held {
  /** The value, once; the caller owns it. */
  take(): Tensor;
  /** Gives it up untaken: the tape does not record. */
  drop(): void;
}

/**
 * A tensor on its way through the network, with the gradient that its readers leave for it on the way back.
 * A layer takes over one ownership of the tensor it reads; before a second reader, call {@link keep}.
 */
export class Activation {
  private gradient: Tensor | undefined;
  private holders = 0;
  private remade: Tensor | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly made: Tensor | undefined,
    /** False for network inputs: no reader computes a gradient for them. */
    readonly wantsGradient: boolean,
    /** Makes the tensor again from what its layer kept; works until that layer's own gradient was computed. */
    private readonly remake?: () => Tensor,
  ) {}

  get tensor(): Tensor {
    invariant(this.made !== undefined, 'an activation has a tensor');
    return this.made;
  }

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  get dataType(): number {
    return this.tensor.dataType;
  }

  keep(): this {
    this.tensor.keep();
    return this;
  }

  /** Takes over one ownership of the tensor and holds its value until the way back, in the way that needs least memory. */
  hold(): Held {
    const { tensor, remake } = this;
    if (remake === undefined) return { take: () => tensor, drop: () => tensor.free() };
    this.holders += 1;
    tensor.free();
    return { take: () => this.takeRemade(remake), drop: () => {} };
  }

  /** For the layer that made this activation, in its own gradient: the value that a reader had made again, or a new one. */
  reclaim(): Tensor {
    const { remade, remake } = this;
    this.remade = undefined;
    invariant(remake !== undefined, 'only a value that can be made again is reclaimed');
    return remade ?? remake();
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

  // The last reader on the way back runs just before the maker, which may need the value too: it is left there for it.
  private takeRemade(remake: () => Tensor): Tensor {
    this.holders -= 1;
    const value = remake();
    if (this.holders === 0) this.remade = value.keep();
    return value;
  }
}

/** left + right; frees both. */
export function sumAndFree(runtime: Runtime, left: Tensor, right: Tensor): Tensor {
  const sum = runtime.runOne('AddV2', SAME_TYPE(left), [left, right]);
  left.free();
  right.free();
  return sum;
}
