import { invariant } from '@consilium/shared/kernel';
import { Activation, type Held } from './activation.js';
import type { Runtime } from './runtime/runtime.js';
import { DATA_TYPE } from './runtime/tensorflow-binding.js';
import type { Tensor } from './tensor.js';

/** Element type of the activations; weights, statistics, losses and optimizers are 32-bit floats always. */
export type Precision = 'f32' | 'bf16';

/**
 * What is kept for the way back: `plain` all of it; `lean` not the large outputs of norms, which are made again (about two per
 * cent more time); `leanest` only the inputs of whole blocks, which are computed again (a third more time). All give the same
 * bits.
 */
export type MemoryUse = 'plain' | 'lean' | 'leanest';

/** Most memory is in the few tensors of full resolution; the others are not worth the time. */
const WORTH_REMAKING_BYTES = 8 * 2 ** 20;

export interface TapeOptions {
  readonly precision?: Precision;
  /** Batch statistics are gathered and dropout drops. As `recording` by default. */
  readonly training?: boolean;
  readonly memory?: MemoryUse;
  /** Root of the random draws of dropout in this pass. */
  readonly seed?: number;
}

/**
 * Remembers how to go back through the layers that ran. Each layer hands over its output, the tensors it needs for its
 * gradient, and a closure; {@link backward} runs the closures in reverse order, and each frees what it held the moment the
 * last reader is done. A tape that does not record frees everything on the way forward.
 */
export class Tape {
  readonly training: boolean;
  private readonly memory: MemoryUse;
  readonly precision: Precision;
  private readonly closures: (() => void)[] = [];
  private readonly seed: number;
  private draws = 0;
  private replaying = false;

  constructor(
    readonly runtime: Runtime,
    readonly recording: boolean,
    options: TapeOptions = {},
  ) {
    this.training = options.training ?? recording;
    this.memory = options.memory ?? 'plain';
    this.precision = options.precision ?? 'f32';
    this.seed = options.seed ?? 0;
  }

  /** True when a layer should offer this output to be made again instead of kept. */
  remakes(output: Tensor): boolean {
    return this.recording && this.memory !== 'plain' && bytesOf(output) >= WORTH_REMAKING_BYTES;
  }

  /** True once per step and layer: not when a block is computed a second time for its gradient. */
  get gathersStatistics(): boolean {
    return this.training && !this.replaying;
  }

  /** Element type of the activations. */
  get dataType(): number {
    return this.precision === 'f32' ? DATA_TYPE.float32 : DATA_TYPE.bfloat16;
  }

  /**
   * The network's input, taken over, in 32 bits whatever the precision: rounding the image itself would cost more accuracy than
   * all else together, and the first convolution is cheap. Only tests ask for its gradient.
   */
  input(tensor: Tensor, wantsGradient = false): Activation {
    return new Activation(this.runtime, tensor, wantsGradient);
  }

  /**
   * Notes a layer. `held` are ownerships that the layer's gradient needs: freed here when nothing is recorded, else by
   * `backward`, which also owns the gradient it is given. `remake` makes the output again from what is held (the caller owns
   * it), so that readers need not keep it.
   */
  push(
    output: Tensor,
    held: readonly (Tensor | Held)[],
    backward: (gradient: Tensor) => void,
    remake?: () => Tensor,
  ): Activation {
    const { runtime, recording } = this;
    const activation = new Activation(runtime, output, recording, recording ? remake : undefined);
    if (!recording) {
      for (const each of held) {
        if ('drop' in each) each.drop();
        else each.free();
      }
      return activation;
    }
    const { layer } = runtime;
    this.closures.push(() => runtime.within(layer, 'backward', () => backward(activation.takeGradient())));
    return activation;
  }

  /** Names the layers that `build` adds, for profiles; names nest. */
  scope<T>(name: string, build: () => T): T {
    const { layer } = this.runtime;
    return this.runtime.within(layer === '' ? name : `${layer}.${name}`, 'forward', build);
  }

  /** A named block of layers, kept or computed again as the tape's memory use says. */
  block(
    name: string,
    inputs: readonly Activation[],
    build: (tape: Tape, inputs: readonly Activation[]) => Activation,
  ): Activation {
    return this.scope(name, () => (this.memory === 'leanest' ? this.recompute(inputs, build) : build(this, inputs)));
  }

  /**
   * Runs a block of layers without keeping anything but its inputs (activation checkpointing, Chen et al., arXiv 1604.06174):
   * on the way back the block is computed again. The same operations on the same values give the same bits.
   */
  recompute(inputs: readonly Activation[], block: (tape: Tape, inputs: readonly Activation[]) => Activation): Activation {
    if (!this.recording) return block(this, inputs);
    const kept = inputs.map((input) => input.tensor.keep());
    const drawsBefore = this.draws;
    const forward = this.inner(false);
    const output = block(
      forward,
      inputs.map((input) => new Activation(this.runtime, input.tensor, false)),
    );
    this.draws = forward.draws;
    return this.push(output.tensor, kept, (gradient) => {
      const again = this.inner(true);
      again.draws = drawsBefore;
      again.replaying = true; // the block has gathered its statistics
      const sources = inputs.map((input) => new Activation(this.runtime, input.tensor, input.wantsGradient));
      const result = block(again, sources);
      result.tensor.free();
      again.backward(result, gradient);
      for (const [i, input] of inputs.entries())
        if (input.wantsGradient) input.addGradient((sources[i] as Activation).takeGradient());
    });
  }

  /** A key for the stateless random operations, another one for each call; a block computed again draws the same. */
  drawKey(): readonly [number, number] {
    this.draws += 1;
    return [this.seed, this.draws];
  }

  /** A tape for layers that are held fixed: as this one, but it neither records nor gathers statistics. */
  aside(): Tape {
    const tape = this.inner(false);
    tape.replaying = true;
    return tape;
  }

  /** Goes back from `output`, whose gradient is taken over, and empties the tape. */
  backward(output: Activation, gradient: Tensor): void {
    this.backwardFrom([output], [gradient]);
  }

  /** Goes back from several outputs, all there are of this tape, each with its gradient. */
  backwardFrom(outputs: readonly Activation[], gradients: readonly Tensor[]): void {
    invariant(this.recording, 'only a tape that records goes back');
    invariant(outputs.length === gradients.length, 'each output has a gradient');
    for (const [i, output] of outputs.entries()) output.addGradient(gradients[i] as Tensor);
    for (let closure = this.closures.pop(); closure !== undefined; closure = this.closures.pop()) closure();
  }

  private inner(recording: boolean): Tape {
    const { runtime, training, memory, precision, seed } = this;
    const tape = new Tape(runtime, recording, { training, memory, precision, seed });
    tape.draws = this.draws;
    tape.replaying = this.replaying;
    return tape;
  }
}

function bytesOf({ shape, dataType }: Tensor): number {
  return shape.reduce((product, side) => product * side, 1) * (dataType === DATA_TYPE.bfloat16 ? 2 : 4);
}
