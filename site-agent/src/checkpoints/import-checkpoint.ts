import { FederationError } from '@consilium/shared/kernel';
import {
  bareName,
  manifestOf,
  matchPublished,
  MODEL_METADATA_KEYS,
  type ModelSpec,
  modelSpecSchema,
  type PublishedArchitecture,
  recognisePublished,
} from '@consilium/shared/models';
import { inManifestOrder, PytorchFile, savedState, type SavedState, type WeightSet } from '@consilium/shared/weights';

/** What was read of somebody's PyTorch checkpoint. */
export interface ImportedCheckpoint {
  readonly format: 'zip' | 'legacy';
  readonly spec: ModelSpec;
  /** In the manifest's order. */
  readonly weights: WeightSet;
  /** Tensors that the network has no use for by design: batch counters, statistics that it never reads. */
  readonly bookKeeping: readonly string[];
  /** Other tensors that were left behind, such as a decoder of another shape; worth a look. */
  readonly leftBehind: readonly string[];
  /** What else the file holds: epoch, optimizer and so on. */
  readonly otherMembers: readonly string[];
}

/**
 * Reads the network of a PyTorch checkpoint: Models Genesis, MedicalNet, or one that "site-agent export" wrote. No code of the
 * file is run. Throws WEIGHTS_MALFORMED, PICKLE_REFUSED, or MANIFEST_MISMATCH when it holds another network, or not the wanted one.
 */
export async function importCheckpoint(path: string, wanted?: PublishedArchitecture): Promise<ImportedCheckpoint> {
  const file = await PytorchFile.open(path);
  try {
    const state = savedState(file.value);
    const spec = specOf(state, wanted);
    const { taken, missing, leftBehind } = matchPublished(spec, state.tensors.keys());
    if (missing[0] !== undefined) throw unknownNetwork(`lacks the tensor ${missing[0]} of a ${spec.architecture}`);
    const weights = [];
    for (const [name, theirs] of taken) {
      const tensor = state.tensors.get(theirs);
      if (tensor !== undefined) weights.push({ name, shape: tensor.shape, values: await file.read(tensor) });
    }
    const isBookKeeping = (name: string): boolean => /\.(running_mean|running_var|num_batches_tracked)$/.test(name);
    return {
      format: file.format,
      spec,
      weights: inManifestOrder(weights, manifestOf(spec), 'the checkpoint'),
      bookKeeping: leftBehind.filter(isBookKeeping),
      leftBehind: leftBehind.filter((name) => !isBookKeeping(name)).map(bareName),
      otherMembers: state.others,
    };
  } finally {
    await file.close();
  }
}

/** As the file itself says, where we wrote it; else as its tensors tell. */
function specOf({ tensors, texts }: SavedState, wanted: PublishedArchitecture | undefined): ModelSpec {
  const named = [...tensors].map(([name, { shape }]) => ({ name, shape }));
  const spec = statedSpec(texts.get(MODEL_METADATA_KEYS.modelSpec)) ?? recognisePublished(named);
  if (spec === undefined) {
    throw unknownNetwork('holds neither the U-Net of Models Genesis nor a ResNet of MedicalNet');
  }
  if (wanted === undefined || spec.architecture === wanted) return spec;
  throw unknownNetwork(`holds a ${spec.architecture}, not a ${wanted}`);
}

function statedSpec(text: string | undefined): ModelSpec | undefined {
  if (text === undefined) return undefined;
  try {
    return modelSpecSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function unknownNetwork(detail: string): FederationError {
  return new FederationError('MANIFEST_MISMATCH', `the checkpoint ${detail}`, {
    remedy: 'docs/guides/models.md lists the published checkpoints that can be imported.',
  });
}
