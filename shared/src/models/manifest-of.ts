import type { Manifest } from '@consilium/shared/weights';
import type { ModelSpec } from './model-spec.js';
import { type ParameterSpec, unet3dParameters } from './unet3d-parameters.js';

/** All parameters of a model with names, PyTorch shapes and initialisers, in file order. */
export function parametersOf(spec: ModelSpec): ParameterSpec[] {
  switch (spec.architecture) {
    case 'genesis-unet3d':
      return unet3dParameters(spec);
  }
}

/** The manifest that coordinator and sites agree on; every parameter of today's networks is federated. */
export function manifestOf(spec: ModelSpec): Manifest {
  return { tensors: parametersOf(spec).map(({ name, shape }) => ({ name, shape, dtype: 'F32', scope: 'federated' })) };
}
