/** The digest that the last version must have, computed range by range from version 1. */
import { openSync, readSync, closeSync } from 'node:fs';
import { openDigest } from '../../../shared/dist/kernel/index.js';
import { averageRound } from './reference-arithmetic.mjs';

const RANGE_BYTES = 1 << 20;

/**
 * @param {object} order
 * @param {string} order.firstFile  version 1 as a safetensors file
 * @param {string} order.lastFile  the last version: only its header is taken, so that the digests are of like files
 * @param {readonly (readonly { shift: number, weight: number }[])[]} order.rounds  who was averaged in each round
 * @param {'sha256' | 'blake3'} order.algorithm
 */
export function referenceDigest({ firstFile, lastFile, rounds, algorithm }) {
  const first = openSync(firstFile, 'r');
  const last = openSync(lastFile, 'r');
  try {
    const digest = openDigest(algorithm);
    digest.update(headerOf(last));
    let position = headerOf(first).byteLength;
    const range = new Float32Array(RANGE_BYTES / 4);
    const bytes = new Uint8Array(range.buffer);
    for (;;) {
      const count = readSync(first, bytes, 0, RANGE_BYTES, position);
      if (count === 0) return digest.finish();
      if (count % 4 !== 0) throw new Error('version 1 does not hold whole 32-bit numbers');
      const weights = range.subarray(0, count / 4);
      for (const sites of rounds) averageRound(weights, sites);
      digest.update(bytes.subarray(0, count));
      position += count;
    }
  } finally {
    closeSync(first);
    closeSync(last);
  }
}

/** Length prefix and JSON of a safetensors file. */
function headerOf(file) {
  const prefix = Buffer.alloc(8);
  readSync(file, prefix, 0, 8, 0);
  const header = Buffer.alloc(8 + Number(prefix.readBigUInt64LE()));
  readSync(file, header, 0, header.byteLength, 0);
  return header;
}
