import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

/** What a loss says about a batch. */
export interface LossValue {
  readonly loss: number;
  /** d loss / d logits, in their shape; the caller owns it. */
  readonly gradient: Tensor;
}

/** Compares the network's logits with targets. */
export interface Loss {
  /** True when a batch's loss is the mean of its examples' losses, so that each example can be finished on its own. */
  readonly separable: boolean;
  /** Channels of the target, where they are not the logits' own: 1 for class numbers, counted from 0 and stored as floats. */
  readonly targetChannels?: number;
  /**
   * Both tensors are only read: logits of 32-bit floats, [examples, x, y, z, outputs] or [examples, outputs], and a target of
   * their shape but for its channels. Loss and gradient are multiplied by `share`.
   */
  evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue;
}

export function elementsOf(tensor: Tensor): number {
  return tensor.shape.reduce((product, side) => product * side, 1);
}
