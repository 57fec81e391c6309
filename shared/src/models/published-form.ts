/** A model of ours as the published PyTorch modules load it, with the buffers that those keep and ours have no use for. */
import { FederationError } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';
import type { ModelSpec } from './model-spec.js';
import { publishedNames, toPublishedNames } from './published-names.js';
import { bareName } from './recognise-published.js';

export interface PublishedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** The number of batches that a norm has seen, an integer. */
  readonly isCounter: boolean;
}

/**
 * The tensors under the published names without `module.`, in the module's own order: what load_state_dict takes when batch
 * counters and unused statistics may be missing.
 */
export function toBareNames(spec: ModelSpec, weights: WeightSet): PublishedTensor[] {
  return toPublishedNames(spec, weights).map((tensor) => ({ ...tensor, name: bareName(tensor.name), isCounter: false }));
}

/**
 * All that the published module's state dict holds, with `module.` as DataParallel saves it: also running statistics where the
 * spec keeps none (Models Genesis keeps them and never uses them; they are 0 and 1 here) and the norms' batch counters, which are 0.
 * ARGUMENT_INVALID for a network that the published module cannot be.
 */
export function toPublishedModule(spec: ModelSpec, weights: WeightSet): PublishedTensor[] {
  requirePublishable(spec);
  const names = new Set(publishedNames(spec).values());
  return toPublishedNames(spec, weights).flatMap((tensor): PublishedTensor[] => {
    const own = { ...tensor, isCounter: false };
    const norm = normEnding(tensor.name, names);
    if (norm === undefined) return [own];
    const { shape, values } = tensor;
    const statistics = tensor.name.endsWith('.bias')
      ? [
          { name: `${norm}.running_mean`, shape, values: new Float32Array(values.length), isCounter: false },
          { name: `${norm}.running_var`, shape, values: new Float32Array(values.length).fill(1), isCounter: false },
        ]
      : [];
    return [own, ...statistics, { name: `${norm}.num_batches_tracked`, shape: [], values: new Float32Array(1), isCounter: true }];
  });
}

/** The norm whose last tensor this is: its running variance, or its shift where the spec keeps no statistics. */
function normEnding(name: string, names: ReadonlySet<string>): string | undefined {
  if (name.endsWith('.running_var')) return name.slice(0, -'.running_var'.length);
  const norm = /^(.*\.bn\d)\.bias$/.exec(name)?.[1];
  return norm === undefined || names.has(`${norm}.running_var`) ? undefined : norm;
}

function requirePublishable(spec: ModelSpec): void {
  const obstacle = obstacleTo(spec);
  if (obstacle === undefined) return;
  throw new FederationError('ARGUMENT_INVALID', `no published PyTorch module is this network: ${obstacle}`, {
    remedy:
      'Leave --published out: what the two have in common is written under the published names all the same, for strict=False.',
  });
}

function obstacleTo(spec: ModelSpec): string | undefined {
  if (spec.architecture !== 'genesis-unet3d' && spec.architecture !== 'medicalnet-resnet')
    return `${spec.architecture} is neither the U-Net of Models Genesis nor the ResNet of MedicalNet`;
  if (spec.norm !== 'batch') return `it has ${spec.norm} norm where the published one has batch norm`;
  if (spec.inputChannels !== 1) return `it reads ${spec.inputChannels} channels where the published one reads one`;
  if (spec.architecture === 'medicalnet-resnet') {
    // Of MedicalNet the encoders alone were released: its code takes from a file what the network has names for.
    const isPublished = spec.head === 'none' || spec.head === 'segmentation' || spec.head === 'raised-segmentation';
    return isPublished ? undefined : `its head is "${spec.head}" where the published one has the decoder conv_seg or none`;
  }
  if (spec.batchStatistics === 'training')
    return 'it predicts with running statistics, the published one with those of the batch';
  return spec.upsampling === 'nearest'
    ? 'it raises by nearest neighbour, the published one by transposed convolution'
    : undefined;
}
