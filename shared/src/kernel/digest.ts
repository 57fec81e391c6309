import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Blake3Hasher } from '@napi-rs/blake-hash';

/**
 * How bytes are named. SHA-256 names small things and whatever a peer of protocol 1 handles; BLAKE3 (O'Connor, Aumasson, Neves
 * and Wilcox-O'Hearn, 2020) names weight files, because it is more than twice as fast. Both can be checked with common tools
 * (sha256sum, b3sum). docs/decisions/0010 has the measurement.
 */
export const DIGEST_ALGORITHMS = ['sha256', 'blake3'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Content address: the algorithm, a colon and 64 hexadecimal digits. */
export type Digest = `${DigestAlgorithm}:${string}`;

const DIGEST_PATTERN = /^(sha256|blake3):[0-9a-f]{64}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST_PATTERN.test(text);
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('blake3:') ? 'blake3' : 'sha256';
}

/** The 64 hexadecimal digits. */
export function digitsOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** A digest in the making: bytes in order, then once its value. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  finish(): Digest;
}

export function openDigest(algorithm: DigestAlgorithm = 'sha256'): RunningDigest {
  if (algorithm === 'blake3') {
    const hasher = new Blake3Hasher();
    return { update: (bytes) => void hasher.update(bytes), finish: () => `blake3:${hasher.digest('hex')}` };
  }
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), finish: () => `sha256:${hash.digest('hex')}` };
}

export function digestOfBytes(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  const running = openDigest(algorithm);
  running.update(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  return running.finish();
}

/** Reads the file once, in chunks: memory stays flat whatever its size. */
export async function digestOfFile(path: string, algorithm: DigestAlgorithm = 'sha256'): Promise<Digest> {
  const running = openDigest(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) running.update(chunk as Buffer);
  return running.finish();
}

/** The digest of a SHA-256 hash that somebody else has fed. */
export function finishDigest(sha256: Hash): Digest {
  return `sha256:${sha256.digest('hex')}`;
}

/** Digest of a JSON value with sorted keys, so that equal values have equal digests whatever their key order. */
export function digestOfJson(value: unknown): Digest {
  return digestOfBytes(canonicalJson(value));
}

/** The first 12 hexadecimal digits, for people. */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

/** JSON with object keys in code-point order and undefined members left out. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}
