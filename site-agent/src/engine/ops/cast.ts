import type { Activation } from '../activation.js';
import { castTensor } from '../cast-tensor.js';
import type { Tape } from '../tape.js';

/** The same values in another element type; the gradient comes back in the input's. */
export function cast(tape: Tape, input: Activation, dataType: number): Activation {
  if (input.dataType === dataType) return input;
  const { runtime } = tape;
  const from = input.dataType;
  const output = castTensor(runtime, input.tensor, dataType);
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(castTensor(runtime, gradient, from));
    gradient.free();
  });
}
