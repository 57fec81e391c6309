import { Activation } from './activation.js';
import { joinAndFree } from './ops/concatenation.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/** Channels that can be computed part by part. */
export interface ChannelParts {
  /** Of the whole: [examples, x, y, z, channels]. */
  readonly shape: readonly number[];
  readonly dataType: number;
  /** Channels of each part. */
  readonly channels: readonly number[];
  /** Makes one part after the other, each owned by the caller; at the end gives up what they were made from. */
  make(): Iterable<Tensor>;
}

const CHANNEL_AXIS = 4;

/**
 * An activation that is computed when it is read, without a way back. A convolution reads it part by part, so that it never lies
 * in memory as a whole; for every other reader the parts are joined.
 */
export class PartedActivation extends Activation {
  private whole: Tensor | undefined;

  constructor(
    private readonly owner: Runtime,
    private readonly parts: ChannelParts,
  ) {
    super(owner, undefined, false);
  }

  override get tensor(): Tensor {
    this.whole ??= joinAndFree(this.owner, [...this.parts.make()], CHANNEL_AXIS);
    return this.whole;
  }

  override get shape(): readonly number[] {
    return this.parts.shape;
  }

  override get dataType(): number {
    return this.parts.dataType;
  }

  /** Channels of each of {@link takeParts}. */
  get channels(): readonly number[] {
    return this.whole === undefined ? this.parts.channels : [this.parts.shape[CHANNEL_AXIS] as number];
  }

  /** Each part once, owned by the caller: all there is of this activation. */
  takeParts(): Iterable<Tensor> {
    return this.whole === undefined ? this.parts.make() : [this.whole];
  }
}
