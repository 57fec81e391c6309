import { invariant } from '@consilium/shared/kernel';
import { elementCount } from '@consilium/shared/weights';
import type { Parameter } from './parameters.js';
import type { Runtime } from './runtime/runtime.js';

/** Number of values in all parameters together. */
export function flatLength(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** Takes and frees all gradients, one after the other as the engine lays them out: for processes that train as one. */
export function takeFlatGradients(runtime: Runtime, parameters: readonly Parameter[], into: Float32Array): void {
  invariant(into.length === flatLength(parameters), 'there is one place for each value of the gradients');
  let offset = 0;
  for (const parameter of parameters) {
    const gradient = parameter.takeGradient();
    const values = runtime.read(gradient);
    gradient.free();
    into.set(values, offset);
    offset += values.length;
  }
}

/** Adds gradients as {@link takeFlatGradients} gives them; leave the array unchanged until they are taken. */
export function addFlatGradients(runtime: Runtime, parameters: readonly Parameter[], flat: Float32Array): void {
  invariant(flat.length === flatLength(parameters), 'there is one value for each place in the gradients');
  let offset = 0;
  for (const parameter of parameters) {
    const { shape } = parameter.variable;
    const values = flat.subarray(offset, offset + elementCount(shape));
    parameter.addGradient(runtime.tensor(values, shape));
    offset += values.length;
  }
}
