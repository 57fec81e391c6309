import { rename, rm } from 'node:fs/promises';
import { algorithmOf, type Digest, FederationError } from '@consilium/shared/kernel';
import { scaleIntegers, scaleNameOf } from './decode-range.js';
import { elementCount } from './manifest.js';
import { SafetensorsFile, writeFlushed } from './safetensors-file.js';
import { encodeHeader, malformed, type StoredTensor } from './safetensors-header.js';
import { channelElements, versionMetadataOf } from './version-delta.js';

/** Elements worked on between two pauses of the event loop: about a millisecond of arithmetic. */
const RANGE_ELEMENTS = 1 << 18;

export interface VersionToRebuild {
  readonly parentPath: string;
  readonly deltaPath: string;
  /** What the version's file must turn out to be. */
  readonly digest: Digest;
  /** Where it appears, whole and on disk; it is written beside it as ".rebuilt", which a kill may leave. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/**
 * Writes a version's file from its parent's and the delta between them. Holds one range of each at a time. Throws DIGEST_MISMATCH,
 * WEIGHTS_MALFORMED or MANIFEST_MISMATCH when the two files do not give the version that was named, NOT_FOUND when one is not
 * there, STORAGE_FAILED or DISK_FULL, and the signal's reason when it is stopped; nothing is left behind then.
 */
export async function rebuildVersion({ parentPath, deltaPath, digest, path, signal }: VersionToRebuild): Promise<void> {
  const written = `${path}.rebuilt`;
  const parent = await SafetensorsFile.open(parentPath);
  try {
    const delta = await SafetensorsFile.open(deltaPath);
    try {
      const actual = await writeFlushed(written, partsOf(parent, delta, signal), algorithmOf(digest), 0o600);
      if (actual !== digest) {
        throw new FederationError('DIGEST_MISMATCH', 'parent and delta do not give the model version that was named', {
          details: { expected: digest, actual },
        });
      }
      await rename(written, path);
    } catch (thrown) {
      await rm(written, { force: true });
      throw signal.aborted ? thrown : FederationError.from(thrown, 'STORAGE_FAILED');
    } finally {
      await delta.close();
    }
  } finally {
    await parent.close();
  }
}

async function* partsOf(parent: SafetensorsFile, delta: SafetensorsFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { tensors } = parent.header;
  const changed = new Map(delta.header.tensors.map((tensor) => [tensor.name, tensor]));
  yield encodeHeader(tensors, versionMetadataOf(delta.header.metadata)).bytes;
  const scratch = new Float32Array(RANGE_ELEMENTS);
  for (const { name, shape } of tensors) {
    const count = elementCount(shape);
    const change = changed.get(name);
    if (change !== undefined && elementCount(change.shape) !== count) throw misfit(name);
    const addRange = change === undefined ? undefined : await adderOf(delta, change);
    for (let from = 0; from < count; from += RANGE_ELEMENTS) {
      signal.throwIfAborted();
      const values = await parent.read(name, from, Math.min(from + RANGE_ELEMENTS, count), scratch);
      await addRange?.(values, from);
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    }
  }
}

/** Adds the tensor's elements from a place on to the values, each sum rounded once. */
async function adderOf(
  delta: SafetensorsFile,
  { name, dtype, shape }: StoredTensor,
): Promise<(values: Float32Array, from: number) => Promise<void>> {
  const scales = dtype === 'I8' ? await delta.read(scaleNameOf(name)) : undefined;
  const elementsPerScale = channelElements(shape);
  if (scales !== undefined && scales.length * elementsPerScale !== elementCount(shape))
    throw malformed(`has too few scales for ${name}`);
  return async (values, from) => {
    const changes = await delta.read(name, from, from + values.length);
    if (scales !== undefined) scaleIntegers(changes, { scales, elementsPerScale, from });
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + (changes[i] as number);
  };
}

function misfit(name: string): FederationError {
  return new FederationError('MANIFEST_MISMATCH', `the delta of a model version has ${name} in another shape`);
}
