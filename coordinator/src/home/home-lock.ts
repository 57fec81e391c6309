import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import Database from 'libsql';
import type { HomeFolder } from './home-folder.js';

/**
 * One coordinator per home. The lock is an open exclusive transaction on an empty SQLite file: the kernel drops it when the process
 * ends in whatever way, so that after kill -9 or a power cut nothing is left over and a reused process id confuses nobody.
 * Returns the function that releases it; throws COORDINATOR_ALREADY_RUNNING.
 */
export function lockHome(home: HomeFolder): () => void {
  try {
    const lock = new Database(home.lockFile, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return () => lock.close();
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'SQLITE_BUSY')) {
      throw FederationError.from(thrown, 'STORAGE_FAILED');
    }
    const pid = pidOfRunning(home);
    const holder = pid === undefined ? 'another process' : `process ${pid}`;
    throw new FederationError('COORDINATOR_ALREADY_RUNNING', `${holder} already runs a coordinator in ${home.path}`, {
      details: { pid: pid ?? null },
      remedy: 'Stop it first, or choose another folder with --home.',
    });
  }
}

/** From the file that a coordinator writes when it has started. */
function pidOfRunning({ stateFile }: HomeFolder): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(stateFile, 'utf8')) as { pid?: unknown };
    return typeof pid === 'number' ? pid : undefined;
  } catch {
    return undefined; // it is starting, or a backup is being restored
  }
}
