import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { errnoOf } from '@consilium/shared/kernel';

/** Group and others: may they read, write or enter? */
const OTHERS = 0o077;

/** Makes a folder, and those above it, for its owner alone. A folder that is there keeps its permissions: a person chose them. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Makes an empty file for its owner alone, unless there is one; that one is taken from all others. For files that a library
 * opens (SQLite gives what it writes beside a database the permissions of the database). Throws the system's error.
 */
export function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
    takeFromOthers(path);
  }
}

/** For files that may have been made before this program cared, or are none: a failure changes nothing. */
export function takeFromOthers(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) chmodSync(path, mode & 0o700);
  } catch {
    // not there, or another person's: then it is theirs to decide
  }
}
