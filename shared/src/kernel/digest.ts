import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Content address: "sha256:" and 64 hexadecimal digits. */
export type Digest = `sha256:${string}`;

const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && DIGEST_PATTERN.test(text);
}

export function digestOfBytes(bytes: Uint8Array | string): Digest {
  return finishDigest(createHash('sha256').update(bytes));
}

/** Reads the file once, in chunks: memory stays flat whatever its size. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return finishDigest(hash);
}

/** Digest of a JSON value with sorted keys, so that equal values have equal digests whatever their key order. */
export function digestOfJson(value: unknown): Digest {
  return digestOfBytes(canonicalJson(value));
}

export function finishDigest(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}`;
}

/** The first 12 hexadecimal digits, for people. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
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
