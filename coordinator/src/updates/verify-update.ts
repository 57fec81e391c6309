import { FederationError } from '@consilium/shared/kernel';
import {
  allFinite,
  elementCount,
  federatedPart,
  type Manifest,
  requireSameTensors,
  SafetensorsFile,
} from '@consilium/shared/weights';

/** Elements looked at in one go. */
const RANGE_ELEMENTS = 1 << 18;

/**
 * Throws WEIGHTS_MALFORMED, MANIFEST_MISMATCH or UPDATE_NOT_FINITE unless the file holds exactly the federated tensors of the
 * manifest with finite values. Reads range by range.
 */
export async function verifyUpdate(path: string, manifest: Manifest): Promise<void> {
  const file = await SafetensorsFile.open(path);
  try {
    requireSameTensors(federatedPart(manifest), file.header.tensors, 'the update');
    const scratch = new Float32Array(RANGE_ELEMENTS);
    for (const { name, shape } of file.header.tensors) await requireFinite(file, name, elementCount(shape), scratch);
  } finally {
    await file.close();
  }
}

async function requireFinite(file: SafetensorsFile, name: string, count: number, scratch: Float32Array): Promise<void> {
  for (let from = 0; from < count; from += RANGE_ELEMENTS) {
    if (allFinite(await file.read(name, from, Math.min(from + RANGE_ELEMENTS, count), scratch))) continue;
    throw new FederationError('UPDATE_NOT_FINITE', `the update holds a NaN or an infinity in ${name}`, {
      details: { tensor: name },
      remedy: 'The training at this site diverged: lower the learning rate, or look at the site with "site-agent doctor".',
    });
  }
}
