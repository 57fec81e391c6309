import { Activation } from '../activation.js';
import type { Tape } from '../tape.js';

/** The same tensor, taken over, as if it were data: what reads it gives the input no gradient. */
export function detach({ runtime }: Tape, input: Activation): Activation {
  return new Activation(runtime, input.tensor, false);
}
