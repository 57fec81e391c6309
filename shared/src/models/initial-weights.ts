/**
 * Seeded initial weights in plain TypeScript: model version 1 has the same bytes on every machine, without TensorFlow.
 * Kaiming-uniform with a = √5, PyTorch's default for convolutions (He et al., ICCV 2015): uniform in ±1/√fanIn.
 */
import { Random } from '@consilium/shared/kernel';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import { parametersOf } from './manifest-of.js';
import type { ModelSpec } from './model-spec.js';
import type { ParameterSpec } from './unet3d-parameters.js';

export function initialWeights(spec: ModelSpec, seed: string | number): WeightSet {
  return parametersOf(spec).map((parameter) => ({
    name: parameter.name,
    shape: parameter.shape,
    values: initialValues(parameter, new Random(`initial-weights/${seed}/${parameter.name}`)),
  }));
}

/** One parameter's starting values from its own stream, so that adding a parameter changes no other. */
export function initialValues({ shape, initialiser }: ParameterSpec, random: Random): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (initialiser.kind === 'ones') return values.fill(1);
  if (initialiser.kind === 'zeros') return values;
  const bound = 1 / Math.sqrt(initialiser.fanIn);
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.uniform24() - 1) * bound;
  return values;
}
