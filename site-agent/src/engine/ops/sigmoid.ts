import type { Activation } from '../activation.js';
import { Arithmetic } from '../arithmetic.js';
import { castAndFree, castTensor } from '../cast-tensor.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';

/** 1 / (1 + e⁻ˣ), computed in 32 bits; keeps its output. */
export function sigmoid(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const { dataType } = input;
  const c = new Arithmetic(runtime);
  const exact = castAndFree(runtime, input.tensor, DATA_TYPE.float32);
  const output = castAndFree(runtime, c.apply('Sigmoid', exact), dataType);
  const held = tape.recording ? [output.keep()] : [];
  return tape.push(output, held, (gradient) => {
    if (input.wantsGradient) {
      const value = castTensor(runtime, output, DATA_TYPE.float32);
      const slope = castTensor(runtime, gradient, DATA_TYPE.float32);
      input.addGradient(castAndFree(runtime, c.apply('SigmoidGrad', value, slope), dataType));
    }
    gradient.free();
    output.free();
  });
}
