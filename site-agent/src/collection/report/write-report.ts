import { lstatSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { FederationError, newId } from '@consilium/shared/kernel';
import { spaceNeeded } from '../../config/space-needed.js';

/**
 * Writes the page for its owner only: it shows pictures of patients. An older one stays whole until the new one is. What is no
 * plain file (a pipe, a link) is written to as it is. DISK_FULL, STORAGE_FAILED.
 */
export async function writeReport(file: string, page: string): Promise<void> {
  const facts = lstatSync(file, { throwIfNoEntry: false });
  const replaced = facts === undefined || facts.isFile();
  const written = replaced ? `${file}.${newId('partial')}` : file;
  try {
    await writeFile(written, page, { mode: 0o600 });
    if (replaced) await rename(written, file);
  } catch (thrown) {
    if (replaced) await rm(written, { force: true });
    throw spaceNeeded(FederationError.from(thrown, 'STORAGE_FAILED'), file);
  }
}
