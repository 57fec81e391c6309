import { manifestOf, type ModelSpec, modelSpecSchema, type VoxelModelSpec } from '@consilium/shared/models';
import { federatedPart, parameterCount } from '@consilium/shared/weights';

export interface ModelOfSize {
  readonly spec: ModelSpec;
  /** Parameters that take part in averaging. */
  readonly parameters: number;
}

const WIDEST = 64;

/** The smallest model that rounds can restore patches with and that has at least so many federated parameters; RangeError above 102 million. */
export function modelOfSize(parameters: number): ModelOfSize {
  const found = candidates()
    .map((choice) => {
      const spec = modelSpecSchema.parse(choice);
      return { spec, parameters: parameterCount(federatedPart(manifestOf(spec))) };
    })
    .filter((model) => model.parameters >= parameters)
    .sort((a, b) => a.parameters - b.parameters)[0];
  if (found === undefined) throw new RangeError(`there is no model with ${parameters} parameters`);
  return found;
}

/** Every width of the Models Genesis U-Net, and the residual U-Net as published, which is larger than all of them. */
function candidates(): (Pick<VoxelModelSpec, 'architecture'> & { width?: number })[] {
  const widths = Array.from({ length: WIDEST }, (_, index) => index + 1);
  return [...widths.map((width) => ({ architecture: 'genesis-unet3d' as const, width })), { architecture: 'residual-unet3d' }];
}
