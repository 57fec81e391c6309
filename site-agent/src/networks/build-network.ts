import type { ModelSpec } from '@consilium/shared/models';
import { buildGenesisClassifier } from './genesis-classifier.js';
import type { Network } from './network.js';
import { buildResidualUnet3d } from './residual-unet3d.js';
import { buildResnet3d } from './resnet3d.js';
import { buildUnet3d } from './unet3d.js';
import { buildUniversal } from './universal.js';

/** The network of a model spec. */
export function buildNetwork(spec: ModelSpec): Network {
  switch (spec.architecture) {
    case 'genesis-unet3d':
      return buildUnet3d(spec);
    case 'genesis-classifier':
      return buildGenesisClassifier(spec);
    case 'medicalnet-resnet':
      return buildResnet3d(spec);
    case 'residual-unet3d':
      return buildResidualUnet3d(spec);
    case 'universal-model':
      return buildUniversal(spec);
  }
}
