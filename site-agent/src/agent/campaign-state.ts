import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { campaignStateFile, type SiteFolder } from '../config/site-folder.js';
import { roundFolder } from '../training/round-folder.js';

/**
 * Makes what the trainer left with an update the present state of the campaign. Call it once the coordinator has acknowledged
 * the update, and before the journal closes the participation: a crash in between leads to the same offer, to the same
 * acknowledgement and here again, where a file that was moved already is none to move. So each acknowledged update counts once
 * in what the site keeps, and no other ever does.
 */
export async function keepCampaignState(folder: SiteFolder, participationId: string, campaignId: string): Promise<void> {
  const made = roundFolder(folder.roundsFolder, participationId).stateFile;
  const kept = campaignStateFile(folder, campaignId);
  if (!existsSync(made)) return;
  try {
    await mkdir(dirname(kept), { recursive: true });
    await rename(made, kept);
    await flushFolder(dirname(kept));
  } catch (cause) {
    throw FederationError.from(cause, 'STORAGE_FAILED');
  }
}

/** A name is on disk when its folder is: the journal must not be ahead of the file after a power failure. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
