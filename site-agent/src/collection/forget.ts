import { resolve } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import type { SiteFolder } from '../config/site-folder.js';
import { FederationError } from '@consilium/shared/kernel';
import { dropPrepared } from '../preprocessing/patch-cache/patch-cache.js';
import { CollectionIndex } from './collection-index.js';
import { removePulledOf } from './pacs/remove-pulled.js';
import { SiteHashes } from './site-hashes.js';

/** What was dropped: scans of the index, volumes that training used or could have used, and their prepared copies. */
export interface Forgotten {
  readonly scans: number;
  readonly volumes: number;
  readonly cacheEntries: number;
  /** Series that had been pulled from an archive; their files are removed. */
  readonly pulledSeries: number;
}

/** Drops a patient's volumes from every later round, also those indexed later. Only the id's salted hash is kept. */
export function forgetPatient(site: SiteFolder, patientId: string): Promise<Forgotten> {
  if (patientId.trim() === '') throw new FederationError('ARGUMENT_INVALID', 'the patient id is empty');
  return withIndex(site, async (index, hashes) => {
    const hash = hashes.patient(patientId);
    const { scans, digests } = index.change(() => {
      index.optOuts.add(hash);
      return dropVoxels(index, index.scans.idsOfPatient(hash));
    });
    const cacheEntries = await dropFromCache(site, index, digests);
    return { scans, volumes: digests.length, cacheEntries, pulledSeries: await removePulledOf(hash, site.pulledFolder, hashes) };
  });
}

/** Drops scans at or below a path, for those without patient id; their voxels are recognised under other names too. */
export function forgetPath(site: SiteFolder, path: string): Promise<Forgotten> {
  return withIndex(site, async (index, hashes) => {
    const { scans, digests } = index.change(() => {
      const ids = index.scans.idsBelow(resolve(path));
      for (const id of ids) for (const file of index.scans.pathsOf(id)) index.optOuts.add(hashes.path(file));
      index.optOuts.add(hashes.path(resolve(path)));
      index.scans.markForgotten(ids);
      const dropped = dropVoxels(index, ids);
      for (const digest of dropped.digests) index.optOuts.add(hashes.digest(digest));
      return { ...dropped, digests: [...dropped.digests, ...dropEquals(index, dropped.digests)] };
    });
    return { scans, volumes: digests.length, cacheEntries: await dropFromCache(site, index, digests), pulledSeries: 0 };
  });
}

/** How many patients and files are forgotten, and how many scans of the index are left out for it. */
export function listForgotten(site: SiteFolder): { readonly entries: number; readonly scans: number } {
  const index = CollectionIndex.open(site.databaseFile);
  try {
    return { entries: index.optOuts.count(), scans: index.scans.countForgotten() };
  } finally {
    index.close();
  }
}

async function withIndex<T>(site: SiteFolder, work: (index: CollectionIndex, hashes: SiteHashes) => Promise<T>): Promise<T> {
  const index = CollectionIndex.open(site.databaseFile);
  try {
    const hashes = SiteHashes.open(site.saltFile);
    index.requireSalt(hashes.mark());
    return await work(index, hashes);
  } finally {
    index.close();
  }
}

/** Statistics and pictures go at once; what the headers say stays, so that the scan is known when it is met again. */
function dropVoxels(index: CollectionIndex, ids: readonly number[]): { scans: number; digests: Digest[] } {
  const digests = ids.flatMap((id) => (index.scans.check(id, false)?.volumes ?? []).map(({ digest }) => digest));
  for (const id of ids) index.scans.dropCheck(id);
  return { scans: ids.length, digests };
}

/** The same voxels under other names. */
function dropEquals(index: CollectionIndex, digests: readonly Digest[]): Digest[] {
  const ids = [...new Set(digests.flatMap((digest) => index.scans.idsWithDigest(digest)))];
  index.scans.markForgotten(ids);
  return dropVoxels(index, ids).digests;
}

/** Prepared copies of voxels that no other patient's usable scan shares. */
async function dropFromCache(site: SiteFolder, index: CollectionIndex, digests: readonly Digest[]): Promise<number> {
  const used = new Set<string>(index.usable().map(({ digest }) => digest));
  return dropPrepared(
    site.preparedFolder,
    [...new Set(digests)].filter((digest) => !used.has(digest)),
  );
}
