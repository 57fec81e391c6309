import type { Activation } from '../activation.js';
import { byType, elementType, text } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

const LAST_CHANNEL = byType((type) => [elementType('T', type), text('data_format', 'NHWC')]);

/** Adds one number per channel. */
export function addBias(tape: Tape, input: Activation, bias: Parameter): Activation {
  const { runtime } = tape;
  const output = biasedAndFree(runtime, input.tensor, bias.view(input.dataType));
  return tape.push(output, [], (gradient) => {
    const slope = castTensor(runtime, gradient, DATA_TYPE.float32); // TensorFlow would sum bfloat16 in bfloat16
    bias.addGradient(runtime.runOne('BiasAddGrad', LAST_CHANNEL(slope), [slope]));
    slope.free();
    if (input.wantsGradient) input.addGradient(gradient);
    else gradient.free();
  });
}

/** The tensor with one number added per channel; frees both. */
export function biasedAndFree(runtime: Runtime, tensor: Tensor, bias: Tensor): Tensor {
  const output = runtime.runOne('BiasAdd', LAST_CHANNEL(tensor), [tensor, bias]);
  tensor.free();
  bias.free();
  return output;
}
