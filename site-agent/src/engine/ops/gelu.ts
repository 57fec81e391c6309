/** GELU (Hendrycks and Gimpel, arXiv 1606.08415): x · Φ(x) with the normal distribution Φ. */
import type { Activation } from '../activation.js';
import { Arithmetic } from '../arithmetic.js';
import { castAndFree, castTensor } from '../cast-tensor.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import type { Tensor } from '../tensor.js';

/** By the error function, exactly (PyTorch's default), or by the authors' approximation with tanh. */
export type GeluForm = 'erf' | 'tanh';

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
  // The complement has all its digits where Φ is small.
  share: (c, x) => c.scale(c.apply('Erfc', c.scale(x, -Math.SQRT1_2)), 0.5),
  slope: (c, x) => {
    const density = c.scale(c.apply('Exp', c.scale(c.apply('Square', x.keep()), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return c.plus(c.times(density, x.keep()), EXACT.share(c, x));
  },
};

// (1 + tanh u) / 2 is the sigmoid of 2u, here of LINEAR · x + CUBIC · x³.
const LINEAR = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715 * LINEAR;

const APPROXIMATE: Form = {
  share: (c, x) => c.apply('Sigmoid', polynomial(c, x, CUBIC)),
  slope: (c, x) => {
    const share = APPROXIMATE.share(c, x.keep());
    return c.plus(c.apply('SigmoidGrad', share.keep(), polynomial(c, x, 3 * CUBIC)), share);
  },
};

/** LINEAR · x + cubic · x³ */
function polynomial(c: Arithmetic, x: Tensor, cubic: number): Tensor {
  return c.times(x, c.shift(c.scale(c.apply('Square', x.keep()), cubic), LINEAR));
}
