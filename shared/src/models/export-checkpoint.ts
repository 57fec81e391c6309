import { canonicalJson, type Digest } from '@consilium/shared/kernel';
import { type SavedDict, type WeightSet, writePytorchCheckpoint } from '@consilium/shared/weights';
import type { ModelSpec } from './model-spec.js';
import { toBareNames, toPublishedModule } from './published-form.js';
import { MODEL_METADATA_KEYS } from './weight-metadata.js';

export interface CheckpointChoice {
  readonly dtype: 'F32' | 'F16' | 'BF16';
  /** With all that the published modules' own checkpoints hold, so that their repositories' code loads it. */
  readonly published: boolean;
}

/**
 * Writes the model as a PyTorch checkpoint under the published names. Its member `state_dict` holds the weights, `modelSpec` our
 * description, by which it can be imported again whatever its norms. ARGUMENT_INVALID when no published module is this network.
 */
export async function exportCheckpoint(
  path: string,
  { spec, weights }: { readonly spec: ModelSpec; readonly weights: WeightSet },
  { dtype, published }: CheckpointChoice,
): Promise<{ digest: Digest; bytes: number }> {
  const tensors = published ? toPublishedModule(spec, weights) : toBareNames(spec, weights);
  const description = [MODEL_METADATA_KEYS.modelSpec, canonicalJson(spec)] as const;
  const root = (state: SavedDict): SavedDict => ({
    entries: published
      ? [['epoch', 0], ['state_dict', state], ['optimizer_state_dict', noOptimizerState], description]
      : [['state_dict', state], description],
  });
  return writePytorchCheckpoint(path, { tensors, dtype, root });
}

/** Of an optimizer that has not made a step: training resumed from this file starts its moments anew. */
const noOptimizerState: SavedDict = {
  entries: [
    ['state', { entries: [] }],
    ['param_groups', []],
  ],
};
