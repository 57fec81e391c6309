import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { errnoOf, FederationError } from '@consilium/shared/kernel';
import { newSigningKey, type SigningKey, signingKeyOf } from './signing-key.js';

/** The key in a file, undefined when there is no such file. Throws CONFIG_INVALID when it holds no Ed25519 key that can be read. */
export function readKeyFile(path: string): SigningKey | undefined {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw unusable(path, thrown);
  }
  const key = signingKeyOf(pem);
  if (key === undefined) throw unusable(path);
  return key;
}

/** Makes a key in the place of what may lie there: PKCS #8 PEM, whole on disk before it is returned, for its owner alone. */
export function makeKeyFile(path: string): SigningKey {
  const key = newSigningKey();
  rmSync(path, { force: true });
  const pem = key.privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(path, pem, { mode: 0o600, flag: 'wx', flush: true });
  return key;
}

/** Never tells what the file holds. */
function unusable(path: string, cause?: unknown): FederationError {
  return new FederationError('CONFIG_INVALID', `${path} cannot be read as an Ed25519 key`, {
    cause,
    remedy: 'Give this account the right to read it, or put a good copy back.',
  });
}
