import { type Digest, digestOfJson, FederationError } from '@consilium/shared/kernel';
import type { ObjectivePlan, PatchPlan } from '@consilium/shared/wire';
import { CollectionIndex } from '../collection/collection-index.js';
import { doubtVolumes } from '../collection/doubt-volumes.js';
import type { IndexedVolume } from '../volumes/indexed-volume.js';
import type { SiteFolder } from '../config/site-folder.js';
import { PatchCache } from '../preprocessing/patch-cache/patch-cache.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { prepareCollection } from '../preprocessing/prepare-collection.js';
import type { VolumeToPrepare } from '../preprocessing/prepare-indexed.js';
import { completePlan } from '../preprocessing/prepare-volume.js';
import type { OrderContext } from '../trainer/order-context.js';
import { letEventsIn, obeyStop } from './train.js';

/** The site's usable volumes, prepared: handles that may be given to threads. */
export interface SiteCollection {
  readonly volumes: readonly PreparedVolume[];
  /** Names the set of volumes, whatever their order and place on disk. */
  readonly digest: Digest;
}

export interface CollectionOptions {
  readonly site: SiteFolder;
  readonly patch: PatchPlan;
  /** Volumes of other modalities are left out; all are taken when it is. */
  readonly modalities?: readonly string[] | undefined;
  /** Space that prepared volumes may take; no limit when left out. */
  readonly cacheBytes?: number | undefined;
  /** Volumes elsewhere are left out; all are taken when it is. */
  readonly folders?: readonly string[] | undefined;
}

/** Prepares every usable volume; one that no longer reads is warned about and left out. COLLECTION_EMPTY when none is left. */
export async function loadCollection(
  { site, patch, modalities, cacheBytes, folders }: CollectionOptions,
  context: OrderContext,
): Promise<SiteCollection> {
  const cache = await PatchCache.open(site.preparedFolder, cacheBytes);
  const plan = completePlan(patch.preparation);
  const leftOut: VolumeToPrepare[] = [];
  const usable = listUsable(site.databaseFile, { folders, modalities });
  const { volumes } = await prepareCollection(usable, cache, plan, {
    onProgress: async (done, total) => {
      obeyStop(context.stop);
      context.report('preparing', done, total);
      await letEventsIn();
    },
    onLeftOut: (error, volume) => {
      context.warn(`one volume is left out: ${error.message}`);
      leftOut.push(volume);
    },
  });
  doubtVolumes(site.databaseFile, leftOut);
  if (volumes.length === 0) throw collectionEmpty(modalities);
  return { volumes, digest: digestOfJson(volumes.map((volume) => volume.digest).sort()) };
}

/** The volumes that training uses, as the index has them; only those in the folders, and of the modalities, when some are named. */
export function listUsable(
  databaseFile: string,
  { folders, modalities }: Pick<CollectionOptions, 'folders' | 'modalities'>,
): IndexedVolume[] {
  const index = CollectionIndex.open(databaseFile);
  try {
    return index.usable(folders).filter(({ modality }) => modalities?.includes(modality) ?? true);
  } finally {
    index.close();
  }
}

/** The modalities that an objective trains on; undefined for all. */
export function modalitiesOf(objective: ObjectivePlan): readonly string[] | undefined {
  return objective.kind === 'universal-model' ? objective.modalities : undefined;
}

function collectionEmpty(modalities: readonly string[] = []): FederationError {
  const wanted = modalities.length === 0 ? 'usable volume' : `usable volume of the wanted modalities (${modalities.join(', ')})`;
  return new FederationError('COLLECTION_EMPTY', `this site has no ${wanted}`, {
    remedy:
      'Run "site-agent index FOLDER" with a folder of scans; "site-agent index --report" lists files that were refused and why.',
  });
}
