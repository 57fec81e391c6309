import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { elementType, integers } from '../attributes.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

const AXIS_TYPE = elementType('Tidx', DATA_TYPE.int32);
const CHANNEL_AXIS = 4;

/** [first, second] along the channels; the inputs' values are not needed again. */
export function concatenateChannels(tape: Tape, first: Activation, second: Activation): Activation {
  const { runtime } = tape;
  const output = joinTensors(runtime, [first.tensor, second.tensor], CHANNEL_AXIS);
  first.tensor.free();
  second.tensor.free();
  return tape.push(output, [], (gradient) => {
    const parts = splitTensor(runtime, gradient, [channels(first), channels(second)], CHANNEL_AXIS);
    gradient.free();
    for (const [i, input] of [first, second].entries()) {
      const part = parts[i];
      invariant(part !== undefined, 'a split has as many parts as sizes');
      if (input.wantsGradient) input.addGradient(part);
      else part.free();
    }
  });
}

/** The parts side by side along an axis, as a new tensor. */
export function joinTensors(runtime: Runtime, parts: readonly Tensor[], axis: number): Tensor {
  return runtime.runOne(
    'ConcatV2',
    [elementType('T', parts[0]?.dataType), AXIS_TYPE, integers('N', parts.length)],
    [...parts, runtime.integer(axis)],
  );
}

/** As {@link joinTensors}; frees the parts. A single part is the whole. */
export function joinAndFree(runtime: Runtime, parts: readonly Tensor[], axis: number): Tensor {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = joinTensors(runtime, parts, axis);
  for (const part of parts) part.free();
  return whole;
}

/** Parts of the given sizes along an axis, as new tensors. */
export function splitTensor(runtime: Runtime, whole: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const attributes = [
    elementType('T', whole.dataType),
    elementType('Tlen', DATA_TYPE.int32),
    integers('num_split', sizes.length),
  ];
  return runtime.run('SplitV', attributes, [whole, runtime.integers(sizes), runtime.integer(axis)], sizes.length);
}

function channels(activation: Activation): number {
  const size = activation.shape[CHANNEL_AXIS];
  invariant(size !== undefined, 'an activation has five sides');
  return size;
}
