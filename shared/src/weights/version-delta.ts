/**
 * A model version may be defined by a delta file: version = parent + delta, each sum rounded once to 32 bits. The file holds the
 * federated tensors under their own names, each in the number format that its header tells; tensors that it lacks are the
 * parent's. Its metadata carry those of the version's own file, so that a site which has the parent makes that file bit for bit.
 */
import type { Digest } from '@consilium/shared/kernel';
import { scaleCount } from './decode-range.js';
import { elementCount } from './manifest.js';
import { malformed } from './safetensors-header.js';

type Metadata = Readonly<Record<string, string>>;

/** The metadata of the delta file of a version whose own file has these. */
export function deltaMetadata(parent: Digest, version: Metadata): Metadata {
  return { format: 'pt', kind: 'delta', parent, version: JSON.stringify(version) };
}

/** The metadata of the version's own file, in their order; WEIGHTS_MALFORMED when the delta file has none. */
export function versionMetadataOf(delta: Metadata): Metadata {
  try {
    const parsed: unknown = JSON.parse(delta['version'] ?? '');
    const pairs = Object.entries(parsed as object);
    if (pairs.every((pair): pair is [string, string] => typeof pair[1] === 'string')) return Object.fromEntries(pairs);
  } catch (cause) {
    throw malformed('does not carry the metadata of a version', cause);
  }
  throw malformed('does not carry the metadata of a version');
}

/** Elements of a tensor of this shape that share a scale when they are stored as integers. */
export function channelElements(shape: readonly number[]): number {
  const channels = scaleCount(shape);
  return channels === 0 ? 0 : elementCount(shape) / channels;
}
