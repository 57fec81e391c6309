import type { Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';

/** What a loss says about a batch. */
export interface LossValue {
  readonly loss: number;
  /** d loss / d logits; the caller owns it. */
  readonly gradient: Tensor;
}

/** Compares the sigmoid of the network's logits with targets in [0, 1]. */
export interface Loss {
  /** True when a batch's loss is the mean of its examples' losses, so that each example can be finished on its own. */
  readonly separable: boolean;
  /** Channels of the target, where they are not the logits' own: 1 for a class index. */
  readonly targetChannels?: number;
  /** Both tensors are only read: [examples, x, y, z, channels]. Loss and gradient are multiplied by `share`. */
  evaluate(runtime: Runtime, logits: Tensor, target: Tensor, share: number): LossValue;
}
