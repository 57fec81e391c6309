import type { Digest } from '@consilium/shared/kernel';

export interface FoldedUpdate {
  readonly siteName: string;
  readonly digest: Digest;
  readonly patches: number;
  readonly staleness: number;
}

export interface FoldedVersion {
  readonly base: Digest;
  readonly updates: readonly FoldedUpdate[];
}

/** What stands for a folded model version: everything that went into it, in the order in which it was added up. */
export function foldedBytes(base: Digest, updates: readonly FoldedUpdate[]): Buffer {
  const members = updates.map(({ siteName, digest, patches, staleness }) => ({ siteName, digest, patches, staleness }));
  return Buffer.from(JSON.stringify({ base, updates: members } satisfies FoldedVersion));
}

/** Undefined for what is no folded version, such as a campaign's first one. */
export function readFolded(bytes: Buffer): FoldedVersion | undefined {
  return bytes.at(0) === '{'.charCodeAt(0) ? (JSON.parse(bytes.toString()) as FoldedVersion) : undefined;
}
