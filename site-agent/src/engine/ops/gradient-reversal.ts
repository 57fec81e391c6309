import type { Activation } from '../activation.js';
import type { Tape } from '../tape.js';
import { scaleTensor } from './scale-tensor.js';

/**
 * Passes its input on and turns the gradient round: −strength times as much goes back (the gradient reversal layer of Ganin and
 * Lempitsky, ICML 2015), so that what lies before it learns to confuse what lies behind it.
 */
export function reverseGradient(tape: Tape, input: Activation, strength: number): Activation {
  const { runtime } = tape;
  return tape.push(input.tensor, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(scaleTensor(runtime, gradient, -strength));
    gradient.free();
  });
}
