/** The digest that the last version must have, computed range by range from version 1. */
import { openSync, readSync, closeSync } from 'node:fs';
import { shiftOf } from '../../../deploy/dist/simulate/light-trainer.js';
import { algorithmOf, openDigest } from '../../../shared/dist/kernel/index.js';
import { averageRound } from './reference-arithmetic.mjs';
import { averageByDeltas } from './reference-deltas.mjs';

/** Weights that are averaged at a time, where channels are shorter: few enough for the processor's own memory. */
const PART_ELEMENTS = 1 << 16;

/** The digest of the campaign's last version, and whether it is the reference's; null where there is no reference. */
export async function compareWithReference(rig, view, { format, recipe }) {
  const { digest } = view.version;
  const facts = { digest, digestAlgorithm: algorithmOf(digest) };
  const rounds = averagedSites(view);
  // What a site keeps of an update that came late is not told by the campaign's view.
  const isUnknown =
    format !== 'f32' && rounds.some((sites, index) => sites.length < view.roundViews[index].participations.length);
  if (recipe !== 'fedavg' || isUnknown) return { ...facts, digestMatchesReference: null };
  const expected = referenceDigest({
    firstFile: await rig.download(view.name, view.initialVersion),
    lastFile: await rig.download(view.name, view.version),
    average: (weights, channelElements) => averageRounds(weights, channelElements, rounds, format),
    algorithm: facts.digestAlgorithm,
  });
  return { ...facts, digestMatchesReference: expected === digest };
}

/** Who was averaged in each round, in the order of the sites' names. */
function averagedSites({ roundViews }) {
  return roundViews.map(({ participations }) =>
    participations
      .filter(({ state }) => state === 'delivered')
      .map(({ siteName, patches }) => ({ site: siteName, shift: shiftOf(Number(siteName.split('-')[1])), weight: patches })),
  );
}

/** All rounds over a part of a tensor that holds whole channels. */
function averageRounds(weights, channelElements, rounds, format) {
  if (format === 'f32') for (const sites of rounds) averageRound(weights, sites);
  else if (format !== 'int8') averageByDeltas(weights, rounds, format);
  else {
    for (let from = 0; from < weights.length; from += channelElements) {
      averageByDeltas(weights.subarray(from, from + channelElements), rounds, format);
    }
  }
}

/**
 * @param {object} order
 * @param {string} order.firstFile  version 1 as a safetensors file
 * @param {string} order.lastFile  the last version: only its header is taken, so that the digests are of like files
 * @param {(weights: Float32Array, channelElements: number) => void} order.average  all rounds over whole channels of a tensor
 * @param {'sha256' | 'blake3'} order.algorithm
 */
function referenceDigest({ firstFile, lastFile, average, algorithm }) {
  const first = openSync(firstFile, 'r');
  const last = openSync(lastFile, 'r');
  try {
    const digest = openDigest(algorithm);
    digest.update(headerOf(last));
    const header = headerOf(first);
    for (const { shape, data_offsets: offsets } of tensorsOf(header)) {
      const bytes = readBytes(first, header.byteLength + offsets[0], offsets[1] - offsets[0]);
      const weights = new Float32Array(bytes.buffer);
      const elements = weights.length / (shape.length < 2 ? 1 : shape[0]);
      for (let from = 0; from < weights.length; from += wholeChannels(elements)) {
        average(weights.subarray(from, from + wholeChannels(elements)), elements);
      }
      digest.update(bytes);
    }
    return digest.finish();
  } finally {
    closeSync(first);
    closeSync(last);
  }
}

/** Elements of as many channels as a part holds; at least one. */
function wholeChannels(elements) {
  return Math.max(1, Math.floor(PART_ELEMENTS / elements)) * elements;
}

/** In the order in which they lie in the file. */
function tensorsOf(header) {
  const { __metadata__, ...tensors } = JSON.parse(header.subarray(8).toString('utf8'));
  return Object.values(tensors).sort((a, b) => a.data_offsets[0] - b.data_offsets[0]);
}

/** Length prefix and JSON of a safetensors file. */
function headerOf(file) {
  const prefix = Buffer.from(readBytes(file, 0, 8));
  return Buffer.from(readBytes(file, 0, 8 + Number(prefix.readBigUInt64LE())));
}

function readBytes(file, position, length) {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const read = readSync(file, bytes, filled, length - filled, position + filled);
    if (read === 0) throw new Error('a version ends before its last tensor');
    filled += read;
  }
  return bytes;
}
