import type { Activation } from '../activation.js';
import { Arithmetic } from '../arithmetic.js';
import { castAndFree, castTensor } from '../cast-tensor.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

/** The channels of each voxel as probabilities, eˣ over their sum, computed in 32 bits; keeps its output. */
export function softmax(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const { dataType } = input;
  const c = new Arithmetic(runtime);
  const exact = castAndFree(runtime, input.tensor, DATA_TYPE.float32);
  const output = castAndFree(runtime, c.apply('Softmax', exact), dataType);
  const held = tape.recording ? [output.keep()] : [];
  return tape.push(output, held, (gradient) => {
    if (input.wantsGradient) {
      const probability = castTensor(runtime, output, DATA_TYPE.float32);
      const slope = castTensor(runtime, gradient, DATA_TYPE.float32);
      input.addGradient(castAndFree(runtime, throughSoftmax(c, probability, slope), dataType));
    }
    gradient.free();
    output.free();
  });
}

/** The gradient of the logits from the probabilities and theirs, which are taken over: p · (g − Σ p · g) over the channels. */
export function throughSoftmax(c: Arithmetic, probability: Tensor, gradient: Tensor): Tensor {
  const channelAxis = probability.shape.length - 1;
  const mean = c.sum(c.times(probability.keep(), gradient.keep()), [channelAxis], true);
  return c.times(probability, c.minus(gradient, mean));
}
