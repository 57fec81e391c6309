import { FederationError } from '@consilium/shared/kernel';
import type { ModelSpec } from '@consilium/shared/models';
import type { Network } from './network.js';
import { buildUnet3d } from './unet3d.js';

/** The network of a model spec. */
export function buildNetwork(spec: ModelSpec): Network {
  switch (spec.architecture) {
    case 'genesis-unet3d':
      return buildUnet3d(spec);
    case 'genesis-classifier':
    case 'medicalnet-resnet':
    case 'residual-unet3d':
      throw new FederationError('ARGUMENT_INVALID', `a network of the architecture ${spec.architecture} cannot be trained yet`, {
        remedy: 'Choose the architecture genesis-unet3d.',
      });
  }
}
