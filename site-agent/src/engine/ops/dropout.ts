import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../activation.js';
import { elementType, FLOAT } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { scaleAndFree } from './scale-tensor.js';

const UNIFORM = [elementType('dtype'), elementType('T', DATA_TYPE.int32), elementType('Tseed', DATA_TYPE.int32)];

/**
 * While training, sets each value to zero with the probability `rate` and multiplies the others by 1 / (1 − rate) (Srivastava
 * et al., JMLR 2014, inverted form); else passes its input on. The mask follows from the tape's seed; it is not kept but drawn
 * again on the way back.
 */
export function dropout(tape: Tape, input: Activation, rate: number): Activation {
  return dropByMask(tape, input, rate, input.shape);
}

/** As {@link dropout}, but whole channels of an example together (Tompson et al., CVPR 2015; PyTorch's Dropout3d). */
export function spatialDropout(tape: Tape, input: Activation, rate: number): Activation {
  const { shape } = input;
  return dropByMask(
    tape,
    input,
    rate,
    shape.map((side, axis) => (axis === 0 || axis === shape.length - 1 ? side : 1)),
  );
}

function dropByMask(tape: Tape, input: Activation, rate: number, maskShape: readonly number[]): Activation {
  invariant(rate >= 0 && rate < 1, 'a dropout rate is at least 0 and below 1');
  if (!tape.training || rate === 0) return input;
  const { runtime } = tape;
  const key = tape.drawKey();
  const output = masked(runtime, input.tensor, { key, rate, shape: maskShape });
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) input.addGradient(masked(runtime, gradient, { key, rate, shape: maskShape }));
    gradient.free();
  });
}

interface Mask {
  readonly key: readonly [number, number];
  readonly rate: number;
  readonly shape: readonly number[];
}

/** tensor · mask, multiplied in 32 bits: 1 / (1 − rate) would be off by up to 0.4 % in bfloat16. */
function masked(runtime: Runtime, tensor: Tensor, mask: Mask): Tensor {
  const factors = drawMask(runtime, mask);
  const exact = castTensor(runtime, tensor, DATA_TYPE.float32);
  const product = runtime.runOne('Mul', FLOAT, [exact, factors]);
  exact.free();
  factors.free();
  const rounded = castTensor(runtime, product, tensor.dataType);
  product.free();
  return rounded;
}

/** 0 with the probability `rate`, else 1 / (1 − rate). */
function drawMask(runtime: Runtime, { key, rate, shape }: Mask): Tensor {
  const seed = runtime.freshIntegers(key);
  const uniform = runtime.runOne('StatelessRandomUniform', UNIFORM, [runtime.integers(shape), seed]);
  seed.free();
  const threshold = runtime.scalar(rate);
  const kept = runtime.runOne('GreaterEqual', FLOAT, [uniform, threshold]);
  uniform.free();
  threshold.free();
  const ones = castTensor(runtime, kept, DATA_TYPE.float32);
  kept.free();
  return scaleAndFree(runtime, ones, 1 / (1 - rate));
}
