/**
 * Seeded initial weights in plain TypeScript: model version 1 has the same bytes on every machine, without TensorFlow.
 * Uniform and normal draws scaled by the fans as PyTorch does (He et al., ICCV 2015).
 */
import { Random } from '@consilium/shared/kernel';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import { parametersOf } from './manifest-of.js';
import type { ModelSpec } from './model-spec.js';
import { fillNormal } from './normal-draws.js';
import type { ParameterSpec } from './parameter-spec.js';

export function initialWeights(spec: ModelSpec, seed: string | number): WeightSet {
  return parametersOf(spec).map((parameter) => ({
    name: parameter.name,
    shape: parameter.shape,
    values: initialValues(parameter, new Random(`initial-weights/${seed}/${parameter.name}`)),
  }));
}

/** One parameter's starting values from its own stream, so that adding a parameter changes no other. */
export function initialValues({ shape, initialiser }: Omit<ParameterSpec, 'role'>, random: Random): Float32Array {
  const values = new Float32Array(elementCount(shape));
  switch (initialiser.kind) {
    case 'zeros':
      return values;
    case 'ones':
      return values.fill(1);
    case 'kaiming-uniform':
      return fillUniform(values, random, 1 / Math.sqrt(initialiser.fanIn));
    case 'normal':
      return fillNormal(values, random, initialiser.deviation);
  }
}

function fillUniform(values: Float32Array, random: Random, bound: number): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.uniform24() - 1) * bound;
  return values;
}
