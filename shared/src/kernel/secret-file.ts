import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, FederationError } from './federation-error.js';
import { newId } from './ids.js';

const SECRET_BYTES = 32;

/**
 * The 32 random bytes of a file, which is made at the first call, readable by its owner only. STORAGE_FAILED with the remedy when the
 * file is there but damaged: a secret that silently became another one would be worse.
 */
export function readOrMakeSecret(file: string, damage: { readonly what: string; readonly remedy: string }): Buffer {
  const secret = readSecret(file) ?? makeSecret(file);
  if (secret.length === SECRET_BYTES) return secret;
  throw new FederationError('STORAGE_FAILED', `${damage.what} ${file} is damaged`, { remedy: damage.remedy });
}

function readSecret(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  }
}

/** Whole or not at all, and once: of two processes that make it at the same time, one wins and both use its secret. */
function makeSecret(file: string): Buffer {
  const partial = `${file}.${newId('partial')}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(partial, randomBytes(SECRET_BYTES), { mode: 0o600, flag: 'wx', flush: true });
    try {
      linkSync(partial, file);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'EEXIST') throw thrown;
    }
    return readFileSync(file);
  } catch (thrown) {
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  } finally {
    rmSync(partial, { force: true });
  }
}
