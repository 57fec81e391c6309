import { elementCount, type Manifest } from '@consilium/shared/weights';
import { medicalnetParameters } from './medicalnet-parameters.js';
import type { ModelSpec } from './model-spec.js';
import type { ParameterSpec } from './parameter-spec.js';
import { residualUnet3dParameters } from './residual-unet3d-parameters.js';
import { universalParameters } from './universal-parameters.js';
import { genesisClassifierParameters, unet3dParameters } from './unet3d-parameters.js';

/** All parameters of a model with names, PyTorch shapes, roles and initialisers, in PyTorch's registration order. */
export function parametersOf(spec: ModelSpec): ParameterSpec[] {
  switch (spec.architecture) {
    case 'genesis-unet3d':
      return unet3dParameters(spec);
    case 'genesis-classifier':
      return genesisClassifierParameters(spec);
    case 'medicalnet-resnet':
      return medicalnetParameters(spec);
    case 'residual-unet3d':
      return residualUnet3dParameters(spec);
    case 'universal-model':
      return universalParameters(spec);
  }
}

/**
 * The manifest that coordinator and sites agree on. Running statistics are federated too: FedAvg as published averages the
 * whole state of a model, and a version without them could not predict. (FedBN keeps them, and the norms, at the sites.)
 */
export function manifestOf(spec: ModelSpec): Manifest {
  return { tensors: parametersOf(spec).map(({ name, shape }) => ({ name, shape, dtype: 'F32', scope: 'federated' })) };
}

/** Elements that training changes by gradients; `parameterCount(manifestOf(spec))` counts running statistics as well. */
export function trainedParameterCount(spec: ModelSpec): number {
  return parametersOf(spec).reduce((sum, { role, shape }) => sum + (role === 'trained' ? elementCount(shape) : 0), 0);
}

/** Names of the running means and variances, which no gradient reaches. */
export function statisticNames(spec: ModelSpec): ReadonlySet<string> {
  return new Set(
    parametersOf(spec)
      .filter(({ role }) => role === 'statistic')
      .map(({ name }) => name),
  );
}
