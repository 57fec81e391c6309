import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FederationError, newSecret } from '@consilium/shared/kernel';
import { makeKeyFile, readKeyFile, type SigningKey } from '@consilium/shared/identity';

/** The files of one coordinator. */
export interface HomeFolder {
  readonly path: string;
  readonly databaseFile: string;
  /** Weight files by digest. */
  readonly blobs: string;
  /** Weight files of an object store that were used last. */
  readonly blobCache: string;
  /** Uploads on their way in. */
  readonly uploads: string;
  readonly operatorTokenFile: string;
  /** The key that signs the credentials of sites. */
  readonly keyFile: string;
  /** 32 random bytes that noise on sums is made of: readable by the owner only, in no backup. */
  readonly noiseSecretFile: string;
  /** Address and process id of the running coordinator. */
  readonly stateFile: string;
  /** An empty SQLite file; its name is not that of earlier versions' locks, which hold a process id. */
  readonly lockFile: string;
}

export function homeFolder(path: string): HomeFolder {
  return {
    path,
    databaseFile: join(path, 'coordinator.sqlite'),
    blobs: join(path, 'blobs'),
    blobCache: join(path, 'blob-cache'),
    uploads: join(path, 'uploads'),
    operatorTokenFile: join(path, 'operator.token'),
    keyFile: join(path, 'coordinator.key'),
    noiseSecretFile: join(path, 'noise.secret'),
    stateFile: join(path, 'coordinator.json'),
    lockFile: join(path, 'home.lock'),
  };
}

/** Creates the folders; FOLDER_MISSING when the place cannot be written. */
export function prepareHomeFolder(home: HomeFolder): void {
  try {
    for (const folder of [home.path, home.blobs, home.blobCache, home.uploads])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const full = FederationError.from(cause, 'FOLDER_MISSING');
    if (full.code === 'DISK_FULL') throw full;
    throw new FederationError('FOLDER_MISSING', `the folder ${home.path} cannot be created`, {
      cause,
      remedy: 'Choose another with --home, or make its parent folder writable.',
    });
  }
}

/** The operator's token, made at the first start and readable by its owner only. */
export function ensureOperatorToken(home: HomeFolder): string {
  if (existsSync(home.operatorTokenFile)) return readFileSync(home.operatorTokenFile, 'utf8').trim();
  const token = newSecret('operator');
  writeFileSync(home.operatorTokenFile, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return token;
}

/**
 * The key that signs the credentials of sites, made at the first start and readable by its owner only. It is in no backup: a
 * coordinator that was restored makes another, and sites ask for new credentials by themselves.
 */
export function ensureCoordinatorKey(home: HomeFolder): SigningKey {
  return readKeyFile(home.keyFile) ?? makeKeyFile(home.keyFile);
}
