import type { Digest } from '@consilium/shared/kernel';

/**
 * What a version's file says about itself. Nothing that differs between two equal campaigns (no id, no time, no name), so that
 * the same plan, seed and updates give the same digest. "format: pt" is what PyTorch loaders look for.
 */
export function weightFileMetadata(modelSpec: Digest, version: number): Record<string, string> {
  return { format: 'pt', modelSpec, version: String(version) };
}
