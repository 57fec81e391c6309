import type { Activation } from '../activation.js';
import { elementType, text } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Tape } from '../tape.js';

const LAST_CHANNEL = [elementType('T'), text('data_format', 'NHWC')];

/** Adds one number per channel. */
export function addBias(tape: Tape, input: Activation, bias: Parameter): Activation {
  const { runtime } = tape;
  const value = bias.view();
  const output = runtime.runOne('BiasAdd', LAST_CHANNEL, [input.tensor, value]);
  value.free();
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    bias.addGradient(runtime.runOne('BiasAddGrad', LAST_CHANNEL, [gradient]));
    if (input.wantsGradient) input.addGradient(gradient);
    else gradient.free();
  });
}
