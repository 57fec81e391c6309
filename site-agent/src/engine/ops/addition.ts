import type { Activation } from '../activation.js';
import { SAME_TYPE } from '../attributes.js';
import type { Tape } from '../tape.js';

/** first + second, of the same shape: a residual connection. Neither value is needed again. */
export function add(tape: Tape, first: Activation, second: Activation): Activation {
  const output = tape.runtime.runOne('AddV2', SAME_TYPE(first), [first.tensor, second.tensor]);
  first.tensor.free();
  second.tensor.free();
  return tape.push(output, [], (gradient) => {
    for (const input of [first, second]) if (input.wantsGradient) input.addGradient(gradient.keep());
    gradient.free();
  });
}
