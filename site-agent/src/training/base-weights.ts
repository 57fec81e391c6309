import { algorithmOf, type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { controlManifest, CONTROL_PREFIX, manifestOf, type ModelSpec } from '@consilium/shared/models';
import { inManifestOrder, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { withPrefix } from './tensor-groups.js';

/**
 * Reads a model version and checks that it is the one that was named. Throws NOT_FOUND, DIGEST_MISMATCH,
 * WEIGHTS_MALFORMED or MANIFEST_MISMATCH. The tensors come in the manifest's order.
 */
export async function readVersion(path: string, digest: Digest, spec: ModelSpec): Promise<WeightSet> {
  await requireDigest(path, digest);
  const { weights } = await readSafetensors(path);
  return inManifestOrder(weights, manifestOf(spec), 'the model version');
}

/** The mean of all sites' control variates (SCAFFOLD), by the parameters' names. Throws as {@link readVersion} does. */
export async function readControl(
  path: string,
  digest: Digest,
  { model, siteLocal }: { readonly model: ModelSpec; readonly siteLocal?: readonly string[] | undefined },
): Promise<WeightSet> {
  await requireDigest(path, digest);
  const { weights } = await readSafetensors(path);
  const controls = inManifestOrder(weights, controlManifest(model, siteLocal), 'the mean of the control variates');
  return withPrefix(CONTROL_PREFIX, controls);
}

/** The version as this site uses it: with what the site keeps for itself in the version's place. */
export function withSiteLocal(version: WeightSet, siteLocal: WeightSet = []): WeightSet {
  const own = new Map(siteLocal.map((tensor) => [tensor.name, tensor]));
  return version.map((tensor) => own.get(tensor.name) ?? tensor);
}

async function requireDigest(path: string, digest: Digest): Promise<void> {
  const actual = await digestOfFile(path, algorithmOf(digest)).catch((cause: unknown) => {
    throw new FederationError('NOT_FOUND', 'a weight file of the round cannot be read', {
      cause,
      remedy: `It should lie at ${path}; the agent fetches it again when the file is missing.`,
    });
  });
  if (actual === digest) return;
  throw new FederationError('DIGEST_MISMATCH', 'a weight file on disk is not the one that the plan names', {
    details: { expected: digest, actual },
    remedy: `Delete ${path}; the agent fetches it again.`,
  });
}
