/**
 * Clipping by the global norm (Pascanu et al., ICML 2013), with the numbers of PyTorch's clip_grad_norm_: gradients are
 * multiplied by clipNorm / (norm + 1e-6) where that is below 1.
 */
import { invariant } from '@consilium/shared/kernel';
import { FLOAT, elementType, integers } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';

/** Keeps the quotient finite; PyTorch's constant. */
const EPSILON = 1e-6;

/** What to multiply all gradients by, 1 when their norm is short enough; NaN when one of them is. Takes no gradient. */
export function clipFactor(runtime: Runtime, parameters: readonly Parameter[], clipNorm: number): number {
  const factor = clipNorm / (globalNorm(runtime, parameters) + EPSILON);
  return factor > 1 ? 1 : factor;
}

/**
 * The Euclidean norm of all gradients together. The sum of a tensor's squares is a 32-bit tree sum (relative error 7e-8 over
 * 14 million values, measured), infinite when gradients exceed 1e19; the sum over the tensors has 64 bits.
 */
export function globalNorm(runtime: Runtime, parameters: readonly Parameter[]): number {
  const halves = parameters.map((parameter) => {
    const gradient = parameter.takeGradient();
    const half = runtime.runOne('L2Loss', FLOAT, [gradient]);
    parameter.addGradient(gradient);
    return half;
  });
  invariant(halves.length > 0, 'a norm is asked for at least one gradient');
  const packed = runtime.runOne('Pack', [elementType('T'), integers('N', halves.length), integers('axis', 0)], halves);
  for (const half of halves) half.free();
  const values = runtime.read(packed); // one wait for all, not one for each
  packed.free();
  return Math.sqrt(2 * values.reduce((sum, half) => sum + half, 0));
}
