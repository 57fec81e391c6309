/** The digest that the last version must have, computed range by range from version 1. */
import { openSync, readSync, closeSync } from 'node:fs';
import { shiftOf } from '../../../deploy/dist/simulate/light-trainer.js';
import { algorithmOf, openDigest } from '../../../shared/dist/kernel/index.js';
import { averageRound } from './reference-arithmetic.mjs';

const RANGE_BYTES = 1 << 20;

/** The digest of the campaign's last version, and whether it is the reference's; null where there is no reference. */
export async function compareWithReference(rig, view, { format, recipe }) {
  const { digest } = view.version;
  const facts = { digest, digestAlgorithm: algorithmOf(digest) };
  if (format !== 'f32' || recipe !== 'fedavg') return { ...facts, digestMatchesReference: null };
  const expected = referenceDigest({
    firstFile: await rig.download(view.name, view.initialVersion),
    lastFile: await rig.download(view.name, view.version),
    rounds: averagedSites(view),
    algorithm: facts.digestAlgorithm,
  });
  return { ...facts, digestMatchesReference: expected === digest };
}

/** Who was averaged in each round, in the order of the sites' names. */
function averagedSites({ roundViews }) {
  return roundViews.map(({ participations }) =>
    participations
      .filter(({ state }) => state === 'delivered')
      .map(({ siteName, patches }) => ({ shift: shiftOf(Number(siteName.split('-')[1])), weight: patches })),
  );
}

/**
 * @param {object} order
 * @param {string} order.firstFile  version 1 as a safetensors file
 * @param {string} order.lastFile  the last version: only its header is taken, so that the digests are of like files
 * @param {readonly (readonly { shift: number, weight: number }[])[]} order.rounds  who was averaged in each round
 * @param {'sha256' | 'blake3'} order.algorithm
 */
function referenceDigest({ firstFile, lastFile, rounds, algorithm }) {
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
