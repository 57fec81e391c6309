import { stat } from 'node:fs/promises';
import type { PreparationPlan } from '@consilium/shared/wire';
import { digestOfFrame, digestOfScan } from '../volumes/digest-of-scan.js';
import type { IndexedVolume } from '../volumes/indexed-volume.js';
import { readVolume } from '../volumes/read-volume.js';
import { faultOf, unsuitable } from '../volumes/volume-fault.js';
import type { Volume } from '../volumes/volume.js';
import { voxelFacts } from './patch-cache/entry-header.js';
import type { PatchCache } from './patch-cache/patch-cache.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';
import { fingerprintOf, prepareVolume } from './prepare-volume.js';

/** What preparing needs to know of an indexed volume. */
export type VolumeToPrepare = Pick<IndexedVolume, 'digest' | 'source' | 'files' | 'modality' | 'sizeVoxels'>;

/**
 * The prepared form of an indexed volume: from the cache, or made from its files and kept there. One volume is in memory at a
 * time. A volume error says that its files no longer read or are not what was indexed; DISK_FULL and STORAGE_FAILED that it
 * could not be kept.
 */
export async function prepareIndexed(
  volume: VolumeToPrepare,
  cache: PatchCache,
  plan: PreparationPlan,
): Promise<{ readonly prepared: PreparedVolume; readonly made: boolean }> {
  const { digest, modality } = volume;
  const key = { digest, modality, fingerprint: fingerprintOf(plan) };
  const known = await cache.find(key);
  if (known !== undefined) return { prepared: known, made: false };
  const { voxels, ...facts } = prepareVolume(await readUnchanged(volume), modality, plan);
  const prepared = await cache.store({ ...key, ...voxelFacts(facts), elementType: plan.elementType }, voxels);
  return { prepared, made: true };
}

async function readUnchanged(indexed: VolumeToPrepare): Promise<Volume> {
  const { source, files, sizeVoxels } = indexed;
  try {
    await requireUnchanged(indexed);
    const volume = await readVolume(source);
    if (volume.sizeVoxels.some((side, axis) => side !== sizeVoxels[axis])) throw changed();
    return volume;
  } catch (thrown) {
    throw faultOf(thrown, files[0]?.path ?? '');
  }
}

/** Files must be there and hold the bytes that were indexed. Reading them for that brings them into memory for what follows. */
async function requireUnchanged({ digest, source, files }: VolumeToPrepare): Promise<void> {
  for (const { path, bytes } of files) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) throw unsuitable('a file is no longer there', REMEDY);
    if (facts.size !== bytes) throw changed();
  }
  const stack = source.kind === 'dicom' ? source.stack : 0;
  const actual = await digestOfScan({ kind: source.kind, files: files.map(({ path }) => path), stack });
  if (digestOfFrame(actual, source.frame) !== digest) throw changed();
}

const REMEDY = 'Run "site-agent index" again.';

function changed(): ReturnType<typeof unsuitable> {
  return unsuitable('a file has changed since it was indexed', REMEDY);
}
