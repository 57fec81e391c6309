import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { rebuildVersion } from '@consilium/shared/weights';
import { passportBeside, type VersionDelta } from '@consilium/shared/wire';
import { keepCampaignState } from './campaign-state.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';

/** What the agent itself does on the site's disk; a port, so that the agent's logic also runs where there is none. */
export interface SiteFiles {
  /** The site's folder, as the trainer is told it. */
  readonly home: string;
  /** Where a version lies, or will. */
  versionPath(version: Digest): string;
  hasVersion(version: Digest): boolean;
  /**
   * Makes a version of its parent and a delta, both here, by range and only when its digest is right; throws as `rebuildVersion`
   * does.
   */
  rebuildVersion(version: Digest, delta: Pick<VersionDelta, 'parent' | 'digest'>, signal: AbortSignal): Promise<void>;
  /** With what a transfer has left of it; gone already is fine. */
  dropVersion(version: Digest): Promise<void>;
  /** Participations that have left a checkpoint or an update. */
  rounds(): Promise<string[]>;
  /** Removes checkpoint and update of a participation; gone already is fine. */
  dropRound(participationId: string): Promise<void>;
  /** Makes what the trainer left with an acknowledged update the campaign's present state; done already is fine. */
  keepCampaignState(participationId: string, campaignId: string): Promise<void>;
}

/** The site's folder on disk. */
export function filesOf(folder: SiteFolder): SiteFiles {
  return {
    home: folder.home,
    versionPath: (version) => modelFile(folder, version),
    hasVersion: (version) => existsSync(modelFile(folder, version)),
    rebuildVersion: (version, delta, signal) =>
      rebuildVersion({
        parentPath: modelFile(folder, delta.parent),
        deltaPath: modelFile(folder, delta.digest),
        digest: version,
        path: modelFile(folder, version),
        signal,
      }),
    dropVersion: async (version) => {
      const file = modelFile(folder, version);
      for (const path of [file, `${file}.partial`, `${file}.rebuilt`, passportBeside(file)]) await rm(path, { force: true });
    },
    rounds: () => readdir(folder.roundsFolder).catch(() => []),
    dropRound: (participationId) => rm(join(folder.roundsFolder, participationId), { recursive: true, force: true }),
    keepCampaignState: (participationId, campaignId) => keepCampaignState(folder, participationId, campaignId),
  };
}
