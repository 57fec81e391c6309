import { canonicalJson } from '@consilium/shared/kernel';
import type { ModelSpec } from './model-spec.js';

/** Header entries that every model file of ours carries; "format: pt" is what PyTorch loaders look for. */
export const MODEL_METADATA_KEYS = { format: 'format', kind: 'kind', modelSpec: 'modelSpec' } as const;

/**
 * What a model file says about itself in its safetensors header, so that the file alone is enough to build the network.
 * Nothing in it differs between two equal campaigns (no id, no time), so that equal weights give equal digests.
 */
export function modelMetadata(kind: 'pretrained' | 'segmentation' | 'classification', spec: ModelSpec): Record<string, string> {
  return {
    [MODEL_METADATA_KEYS.format]: 'pt',
    [MODEL_METADATA_KEYS.kind]: kind,
    [MODEL_METADATA_KEYS.modelSpec]: canonicalJson(spec),
  };
}
