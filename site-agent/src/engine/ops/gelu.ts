/** GELU (Hendrycks and Gimpel, arXiv 1606.08415): x · Φ(x) with the normal distribution Φ. */
import type { Activation } from '../activation.js';
import { Arithmetic } from '../arithmetic.js';
import { castAndFree, castTensor } from '../cast-tensor.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

/** By the error function, exactly (PyTorch's default), or by the authors' approximation with tanh. */
export type GeluForm = 'erf' | 'tanh';

const CUBIC = 0.044715;
const TANH_SCALE = Math.sqrt(2 / Math.PI);

/** Computed in 32 bits; keeps its input. */
export function gelu(tape: Tape, input: Activation, form: GeluForm = 'erf'): Activation {
  const { runtime } = tape;
  const { dataType } = input;
  const { share, slope } = form === 'erf' ? EXACT : APPROXIMATE;
  const exact = castTensor(runtime, input.tensor, DATA_TYPE.float32);
  const c = new Arithmetic(runtime);
  const output = castAndFree(runtime, c.times(exact.keep(), share(c, exact)), dataType);
  const held = input.hold();
  return tape.push(output, [held], (gradient) => {
    const value = castAndFree(runtime, held.take(), DATA_TYPE.float32);
    if (input.wantsGradient) {
      const exactGradient = castTensor(runtime, gradient, DATA_TYPE.float32);
      input.addGradient(castAndFree(runtime, c.times(exactGradient, slope(c, value)), dataType));
    } else value.free();
    gradient.free();
  });
}

/** The share of x that is let through, and the derivative of x times it; both take over x. */
interface Form {
  readonly share: (c: Arithmetic, x: Tensor) => Tensor;
  readonly slope: (c: Arithmetic, x: Tensor) => Tensor;
}

const EXACT: Form = {
  share: (c, x) => half(c, c.apply('Erf', c.scale(x, Math.SQRT1_2))),
  slope: (c, x) => {
    const density = c.scale(c.apply('Exp', c.scale(c.apply('Square', x.keep()), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return c.plus(c.times(density, x.keep()), EXACT.share(c, x));
  },
};

const APPROXIMATE: Form = {
  share: (c, x) => half(c, tanhOf(c, x)),
  slope: (c, x) => {
    const tanh = tanhOf(c, x.keep());
    const inner = c.scale(c.shift(c.scale(c.apply('Square', x.keep()), 3 * CUBIC), 1), TANH_SCALE / 2);
    const flatness = c.shift(c.apply('Neg', c.apply('Square', tanh.keep())), 1);
    return c.plus(c.times(c.times(x, inner), flatness), half(c, tanh));
  },
};

function tanhOf(c: Arithmetic, x: Tensor): Tensor {
  const factor = c.scale(c.shift(c.scale(c.apply('Square', x.keep()), CUBIC), 1), TANH_SCALE);
  return c.apply('Tanh', c.times(x, factor));
}

/** (1 + x) / 2 */
function half(c: Arithmetic, x: Tensor): Tensor {
  return c.scale(c.shift(x, 1), 0.5);
}
