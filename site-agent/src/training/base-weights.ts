import { algorithmOf, type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec } from '@consilium/shared/models';
import { inManifestOrder, readSafetensors, type WeightSet } from '@consilium/shared/weights';

/**
 * Reads a model version and checks that it is the one that was named. Throws NOT_FOUND, DIGEST_MISMATCH,
 * WEIGHTS_MALFORMED or MANIFEST_MISMATCH. The tensors come in the manifest's order.
 */
export async function readVersion(path: string, digest: Digest, spec: ModelSpec): Promise<WeightSet> {
  const actual = await digestOfFile(path, algorithmOf(digest)).catch((cause: unknown) => {
    throw new FederationError('NOT_FOUND', 'the model version cannot be read', {
      cause,
      remedy: `It should lie at ${path}; the agent fetches it again when the file is missing.`,
    });
  });
  if (actual !== digest) {
    throw new FederationError('DIGEST_MISMATCH', 'the model version on disk is not the one that the plan names', {
      details: { expected: digest, actual },
      remedy: `Delete ${path}; the agent fetches it again.`,
    });
  }
  const { weights } = await readSafetensors(path);
  return inManifestOrder(weights, manifestOf(spec), 'the model version');
}
