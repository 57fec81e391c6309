import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { errnoOf, FederationError } from '@consilium/shared/kernel';

const heldHere = new Set<string>();

/**
 * One coordinator per home: a file that holds the process id. A lock whose process is gone (kill -9, power cut) is taken over.
 * Returns the function that releases it; throws COORDINATOR_ALREADY_RUNNING.
 */
export function lockHome(lockFile: string): () => void {
  if (!tryLock(lockFile)) {
    const holder = holderOf(lockFile);
    if (holder !== undefined && isAlive(holder, lockFile)) {
      throw new FederationError('COORDINATOR_ALREADY_RUNNING', `process ${holder} already runs a coordinator in this folder`, {
        details: { pid: holder },
        remedy: 'Stop it first, or choose another folder with --home.',
      });
    }
    rmSync(lockFile, { force: true });
    if (!tryLock(lockFile)) {
      throw new FederationError('COORDINATOR_ALREADY_RUNNING', 'another coordinator has just started in this folder', {
        remedy: 'Stop it first, or choose another folder with --home.',
      });
    }
  }
  heldHere.add(lockFile);
  return () => {
    heldHere.delete(lockFile);
    rmSync(lockFile, { force: true });
  };
}

function tryLock(lockFile: string): boolean {
  try {
    const file = openSync(lockFile, 'wx', 0o600);
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw FederationError.from(error, 'STORAGE_FAILED');
  }
}

function holderOf(lockFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(lockFile, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

// In a container every start has the same process id: our own id in the file means a leftover, unless we hold it ourselves.
function isAlive(pid: number, lockFile: string): boolean {
  if (pid === process.pid) return heldHere.has(lockFile);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
