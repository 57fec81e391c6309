import { linearParameters } from './layer-parameters.js';
import type { ParameterSpec } from './parameter-spec.js';

/** Global average pooling → linear → ReLU → linear, named as in a PyTorch Sequential: NAME.0, (1), NAME.2. */
export interface PooledHead {
  readonly name: string;
  /** Channels of the tensor that is pooled. */
  readonly features: number;
  readonly hiddenFeatures: number;
  readonly outputs: number;
}

/** The parameters of a head, apart from its network's, so that any encoder can carry any number of heads. */
export function headParameters({ name, features, hiddenFeatures, outputs }: PooledHead): ParameterSpec[] {
  return [
    ...linearParameters(`${name}.0`, [features, hiddenFeatures]),
    ...linearParameters(`${name}.2`, [hiddenFeatures, outputs]),
  ];
}
