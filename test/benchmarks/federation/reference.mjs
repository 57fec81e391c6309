/** What the last version must be, computed range by range from version 1. */
import { closeSync, openSync, readSync } from 'node:fs';
import { shiftOf } from '../../../deploy/dist/simulate/light-trainer.js';
import { algorithmOf, openDigest } from '../../../shared/dist/kernel/index.js';
import { averageRound } from './reference-arithmetic.mjs';

const RANGE_ELEMENTS = 1 << 18;

/**
 * The digest of the campaign's last version, and whether it is the reference's. Updates in a narrower format than 32 bits cannot
 * give the same bytes: for them `errorToReference` is the distance of the last version from the reference as a share of the
 * reference's own way from version 1. All null for a recipe that has no reference.
 */
export async function compareWithReference(rig, view, { format, recipe }) {
  const { digest } = view.version;
  const algorithm = algorithmOf(digest);
  const facts = { digest, digestAlgorithm: algorithm };
  if (recipe !== 'fedavg') return { ...facts, digestMatchesReference: null };
  const files = [await rig.download(view.name, view.initialVersion), await rig.download(view.name, view.version)];
  const expected = computeReference(files, averagedSites(view), algorithm);
  if (format === 'f32') return { ...facts, digestMatchesReference: expected.digest === digest };
  return { ...facts, digestMatchesReference: null, errorToReference: expected.error };
}

/** Who was averaged in each round, in the order of the sites' names. */
function averagedSites({ roundViews }) {
  return roundViews
    .filter(({ state }) => state === 'finished')
    .map(({ participations }) =>
      participations
        .filter(({ state }) => state === 'delivered')
        .map(({ siteName, patches }) => ({ shift: shiftOf(Number(siteName.split('-')[1])), weight: patches })),
    );
}

/** Of the last file only the header goes into the digest, so that the digests are of like files; its values are compared. */
function computeReference([firstFile, lastFile], rounds, algorithm) {
  const [first, last] = [openWeights(firstFile), openWeights(lastFile)];
  const digest = openDigest(algorithm);
  digest.update(last.header);
  let [missed, way] = [0, 0];
  try {
    for (;;) {
      const start = first.next();
      const actual = last.next();
      if (start.length !== actual.length) throw new Error('the first and the last version are not of the same size');
      if (start.length === 0) return { digest: digest.finish(), error: Math.sqrt(missed / way) };
      const expected = start.slice();
      for (const sites of rounds) averageRound(expected, sites);
      digest.update(new Uint8Array(expected.buffer));
      for (let i = 0; i < expected.length; i++) {
        missed += (actual[i] - expected[i]) ** 2;
        way += (expected[i] - start[i]) ** 2;
      }
    }
  } finally {
    first.close();
    last.close();
  }
}

/** A safetensors file of 32-bit floats: its header (length prefix and JSON), then its values in ranges; an empty one is the end. */
function openWeights(path) {
  const file = openSync(path, 'r');
  const prefix = Buffer.alloc(8);
  readSync(file, prefix, 0, 8, 0);
  const header = Buffer.alloc(8 + Number(prefix.readBigUInt64LE()));
  readSync(file, header, 0, header.byteLength, 0);
  let position = header.byteLength;
  const range = new Float32Array(RANGE_ELEMENTS);
  const next = () => {
    const count = readSync(file, new Uint8Array(range.buffer), 0, range.byteLength, position);
    if (count % 4 !== 0) throw new Error('a version does not hold whole 32-bit numbers');
    position += count;
    return range.subarray(0, count / 4);
  };
  return { header, next, close: () => closeSync(file) };
}
