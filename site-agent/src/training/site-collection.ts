import { type Digest, digestOfJson, FederationError } from '@consilium/shared/kernel';
import type { SiteFolder } from '../config/site-folder.js';
import { loadPreparedVolume, type PreparedVolume } from '../preprocessing/prepared-volume.js';
import type { OrderContext } from '../trainer/order-context.js';
import { VolumeIndex } from '../collection/volume-index.js';
import { letEventsIn, obeyStop } from './train.js';

/** The site's usable volumes, prepared and in shared memory. */
export interface SiteCollection {
  readonly volumes: readonly PreparedVolume[];
  /** Names the set of volumes, whatever their order and place on disk. */
  readonly digest: Digest;
}

/** Loads every usable volume; one that no longer reads is warned about and left out. COLLECTION_EMPTY when none is left. */
export async function loadCollection(site: SiteFolder, context: OrderContext): Promise<SiteCollection> {
  const indexed = listUsable(site.databaseFile);
  const volumes: PreparedVolume[] = [];
  for (const [position, entry] of indexed.entries()) {
    obeyStop(context.stop);
    context.report('preparing', position, indexed.length);
    try {
      volumes.push(await loadPreparedVolume(entry, site.preparedFolder));
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (error.kind !== 'volume') throw error;
      context.warn(`one volume is left out: ${error.message}`);
    }
    await letEventsIn();
  }
  if (volumes.length === 0) throw collectionEmpty();
  return { volumes, digest: digestOfJson(volumes.map((volume) => volume.digest).sort()) };
}

function listUsable(databaseFile: string): ReturnType<VolumeIndex['usable']> {
  const index = VolumeIndex.open(databaseFile);
  try {
    return index.usable();
  } finally {
    index.close();
  }
}

function collectionEmpty(): FederationError {
  return new FederationError('COLLECTION_EMPTY', 'this site has no usable volume', {
    remedy:
      'Run "site-agent index FOLDER" with a folder of NIfTI scans; "site-agent doctor" lists files that were refused and why.',
  });
}
