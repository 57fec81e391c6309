import { stat } from 'node:fs/promises';
import type { PreparationPlan } from '@consilium/shared/wire';
import type { IndexedVolume } from '../collection/indexed-volume.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import { unsuitable } from '../volumes/volume-fault.js';
import type { Volume } from '../volumes/volume.js';
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
  const prepared = await cache.store({ ...key, ...plainFacts(facts), elementType: plan.elementType }, voxels);
  return { prepared, made: true };
}

/** Entries hold these facts and no others. */
function plainFacts({ sizeVoxels, spacingMm, affine, airThreshold, airValue }: Omit<ReturnType<typeof prepareVolume>, 'voxels'>) {
  return {
    sizeVoxels: [...sizeVoxels] as [number, number, number],
    spacingMm: [...spacingMm] as [number, number, number],
    affine: [...affine],
    airThreshold,
    airValue,
  };
}

async function readUnchanged(indexed: VolumeToPrepare): Promise<Volume> {
  await requireUnchanged(indexed);
  const volume = await readNiftiVolume(indexed.source.kind === 'nifti' ? indexed.source.path : '');
  if (volume.sizeVoxels.some((side, axis) => side !== indexed.sizeVoxels[axis])) throw changed();
  return volume;
}

/** Files must look as they did when they were indexed. */
async function requireUnchanged({ files }: VolumeToPrepare): Promise<void> {
  for (const { path, bytes, modifiedMs } of files) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) throw unsuitable('a file is no longer there', REMEDY);
    if (facts.size !== bytes || facts.mtimeMs !== modifiedMs) throw changed();
  }
}

const REMEDY = 'Run "site-agent index" again.';

function changed(): ReturnType<typeof unsuitable> {
  return unsuitable('a file has changed since it was indexed', REMEDY);
}
