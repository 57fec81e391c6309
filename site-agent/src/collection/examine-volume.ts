import type { Modality } from '../volumes/volume.js';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOfFile, finishDigest } from '@consilium/shared/kernel';
import { decideModality } from '../volumes/modality.js';
import { filesOfVolume } from '../volumes/nifti/nifti-pair.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import type { Volume } from '../volumes/volume.js';
import { measureValues, type ValueFacts } from '../volumes/value-facts.js';
import { faultOf, unsuitable } from '../volumes/volume-fault.js';
import type { IndexedVolume } from './volume-index.js';

/** Shorter than this along an axis, a volume holds no useful 3D patch. */
export const SHORTEST_SIDE_VOXELS = 8;
/** With so few different values a volume is a mask, not a scan. */
const MOST_MASK_VALUES = 8;

/**
 * Reads a whole file and decides whether training can use it. Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with the file's
 * name and a one-line reason. Nothing but numbers about geometry and intensities is kept.
 */
export async function examineVolume(path: string, hint: Modality | undefined): Promise<IndexedVolume> {
  const volume = await readNiftiVolume(path);
  try {
    requireThreeDimensions(volume);
    const facts = measureValues(volume.voxels);
    requireScan(volume, facts);
    const modality = decideModality(volume.voxels, facts, hint);
    const { sizeVoxels, spacingMm, repairedVoxels } = volume;
    return { digest: await digestOfVolume(path), path, modality, sizeVoxels, spacingMm, ...facts, repairedVoxels };
  } catch (thrown) {
    throw faultOf(thrown, path);
  }
}

/** Of the file's bytes; for a pair, of the header's bytes followed by the image's. */
async function digestOfVolume(path: string): Promise<Digest> {
  const files = await filesOfVolume(path);
  if (files.length === 1) return digestOfFile(path);
  const hash = createHash('sha256');
  for (const file of files) await pipeline(createReadStream(file), hash, { end: false });
  return finishDigest(hash);
}

function requireThreeDimensions({ sizeVoxels }: Volume): void {
  const shortest = Math.min(...sizeVoxels);
  if (shortest === 1) throw unsuitable('a single slice, not a volume');
  if (shortest < SHORTEST_SIDE_VOXELS) {
    throw unsuitable(
      `only ${shortest} voxels along one axis (${sizeVoxels.join(' × ')}); at least ${SHORTEST_SIDE_VOXELS} are needed`,
    );
  }
}

function requireScan({ voxels }: Volume, { minimum, maximum }: ValueFacts): void {
  if (minimum === maximum) throw unsuitable(`all its voxels have the same value (${minimum})`);
  const values = new Set<number>();
  let previous = NaN;
  for (const value of voxels) {
    if (value === previous) continue;
    values.add(value);
    if (values.size > MOST_MASK_VALUES) return;
    previous = value;
  }
  throw unsuitable(`only ${values.size} different values: this looks like a mask, not a scan`);
}
