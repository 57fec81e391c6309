import type { Activation } from '../activation.js';
import { byType, elementType } from '../attributes.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';

const PAD = byType((type) => [elementType('T', type), elementType('Tpaddings', DATA_TYPE.int32)]);
const SLICE = byType((type) => [elementType('T', type), elementType('Index', DATA_TYPE.int32)]);

/** [examples, x, y, z, channels] with `added` channels of zeros behind the others. */
export function padChannels(tape: Tape, input: Activation, added: number): Activation {
  const { runtime } = tape;
  const { shape } = input;
  const amounts = runtime.integers([0, 0, 0, 0, 0, 0, 0, 0, 0, added], [5, 2]);
  const output = runtime.runOne('Pad', PAD(input), [input.tensor, amounts]);
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) {
      const range = [runtime.integers([0, 0, 0, 0, 0]), runtime.integers(shape)];
      input.addGradient(runtime.runOne('Slice', SLICE(gradient), [gradient, ...range]));
    }
    gradient.free();
  });
}
