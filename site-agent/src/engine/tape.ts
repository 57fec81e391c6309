import { Activation } from './activation.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/**
 * Remembers how to go back through the layers that ran. Each layer hands over its output, the tensors it needs for its
 * gradient, and a closure; {@link backward} runs the closures in reverse order, and each frees what it held the moment the
 * last reader is done. A tape that does not record frees everything on the way forward.
 */
export class Tape {
  private readonly closures: (() => void)[] = [];

  constructor(
    readonly runtime: Runtime,
    readonly recording: boolean,
  ) {}

  /** The network's input; it takes over the tensor. Only tests ask for its gradient. */
  input(tensor: Tensor, wantsGradient = false): Activation {
    return new Activation(this.runtime, tensor, wantsGradient);
  }

  /**
   * Notes a layer. `held` are ownerships that the layer's gradient needs: freed here when nothing is recorded, else by
   * `backward`, which also owns the gradient it is given.
   */
  push(output: Tensor, held: readonly Tensor[], backward: (gradient: Tensor) => void): Activation {
    const activation = new Activation(this.runtime, output, this.recording);
    if (this.recording) this.closures.push(() => backward(activation.takeGradient()));
    else for (const tensor of held) tensor.free();
    return activation;
  }

  /** Goes back from `output`, whose gradient is taken over, and empties the tape. */
  backward(output: Activation, gradient: Tensor): void {
    output.addGradient(gradient);
    for (let closure = this.closures.pop(); closure !== undefined; closure = this.closures.pop()) closure();
  }
}
