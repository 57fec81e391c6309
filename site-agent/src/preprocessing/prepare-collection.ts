import { FederationError } from '@consilium/shared/kernel';
import type { PreparationPlan } from '@consilium/shared/wire';
import type { PatchCache } from './patch-cache/patch-cache.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';
import { prepareIndexed, type VolumeToPrepare } from './prepare-indexed.js';

/** Who watches the preparation of many volumes; what it throws ends the work, and everything prepared so far stays. */
export interface PreparationWatch {
  /** Before each volume, and once after the last. */
  onProgress(done: number, total: number): Promise<void> | void;
  /** A volume that does not read, or is not what was indexed; the others go on. */
  onLeftOut(error: FederationError, volume: VolumeToPrepare): void;
  /** Resolves when it is worth trying again; left out, a full disk ends the work with DISK_FULL. */
  waitForSpace?(error: FederationError): Promise<void>;
}

export interface PreparedCollection {
  /** In the order given, but for those left out. */
  readonly volumes: readonly PreparedVolume[];
  /** How many of them were not in the cache. */
  readonly made: number;
  readonly leftOut: number;
}

/** Prepares volumes one after the other, so that one of them is in memory at a time. Repeating it goes on where it ended. */
export async function prepareCollection(
  indexed: readonly VolumeToPrepare[],
  cache: PatchCache,
  plan: PreparationPlan,
  watch: PreparationWatch,
): Promise<PreparedCollection> {
  const volumes: PreparedVolume[] = [];
  let made = 0;
  for (const [position, volume] of indexed.entries()) {
    await watch.onProgress(position, indexed.length);
    try {
      const result = await whenThereIsSpace(() => prepareIndexed(volume, cache, plan), watch);
      volumes.push(result.prepared);
      if (result.made) made++;
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (error.kind !== 'volume') throw error;
      watch.onLeftOut(error, volume);
    }
  }
  await watch.onProgress(indexed.length, indexed.length);
  return { volumes, made, leftOut: indexed.length - volumes.length };
}

async function whenThereIsSpace<T>(attempt: () => Promise<T>, watch: PreparationWatch): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (error.code !== 'DISK_FULL' || watch.waitForSpace === undefined) throw error;
      await watch.waitForSpace(error);
    }
  }
}
