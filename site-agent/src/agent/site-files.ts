import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { keepCampaignState } from './campaign-state.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';

/** What the agent itself does on the site's disk; a port, so that the agent's logic also runs where there is none. */
export interface SiteFiles {
  /** The site's folder, as the trainer is told it. */
  readonly home: string;
  /** Where a version lies, or will. */
  versionPath(version: Digest): string;
  hasVersion(version: Digest): boolean;
  /** Gone already is fine. */
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
    dropVersion: (version) => rm(modelFile(folder, version), { force: true }),
    rounds: () => readdir(folder.roundsFolder).catch(() => []),
    dropRound: (participationId) => rm(join(folder.roundsFolder, participationId), { recursive: true, force: true }),
    keepCampaignState: (participationId, campaignId) => keepCampaignState(folder, participationId, campaignId),
  };
}
