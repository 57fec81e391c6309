import type { Activation } from '../activation.js';
import type { Tape } from '../tape.js';

/**
 * The same tensor as an activation of its own. Where one reader of an activation reads it several times within a block, it
 * reads a fork: the block's gradients are then summed by themselves first, in the same order whether the block was kept or
 * computed again, and the bits stay the same.
 */
export function fork(tape: Tape, input: Activation): Activation {
  return tape.push(input.tensor, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(gradient);
    else gradient.free();
  });
}
