import Database from 'libsql';
import { FederationError } from '@consilium/shared/kernel';
import { makePrivateFolder } from '../config/private-files.js';
import type { SiteFolder } from '../config/site-folder.js';
import { readStatusFile } from './status-file.js';

/**
 * One agent per home. The lock is an open exclusive transaction on an empty SQLite file: the kernel drops it when the process ends
 * in whatever way, so that a killed agent leaves nothing to clean up and a reused process id confuses nobody.
 * Returns the function that releases it; throws AGENT_ALREADY_RUNNING.
 */
export function lockHome(folder: SiteFolder): () => void {
  try {
    makePrivateFolder(folder.home);
    const lock = new Database(folder.lockFile, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return () => lock.close();
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'SQLITE_BUSY')) {
      throw FederationError.from(thrown, 'STORAGE_FAILED');
    }
    const holder = readStatusFile(folder);
    throw new FederationError(
      'AGENT_ALREADY_RUNNING',
      `an agent already runs in ${folder.home}${holder ? ` (process ${holder.pid})` : ''}`,
      {
        details: { pid: holder?.pid ?? null },
        remedy: 'Look at it with "site-agent status", stop it first, or choose another folder with --home.',
      },
    );
  }
}
