import { createHmac, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, FederationError, newId } from '@consilium/shared/kernel';
import { makePrivateFolder } from '../config/private-files.js';

const SALT_BYTES = 32;
const HEX_DIGITS = 32;

/**
 * Turns identifiers into names that mean nothing outside this site: HMAC-SHA-256 under a random salt that never leaves its
 * folder, 128 bits. Equal identifiers of one kind give equal hashes; the identifier cannot be had back without the salt.
 */
export class SiteHashes {
  private constructor(private readonly salt: Buffer) {}

  /** Reads the site's salt, or makes it (readable by its owner only). STORAGE_FAILED when the file is damaged. */
  static open(saltFile: string): SiteHashes {
    const salt = readSalt(saltFile) ?? makeSalt(saltFile);
    if (salt.length === SALT_BYTES) return new SiteHashes(salt);
    throw new FederationError('STORAGE_FAILED', `the site’s salt ${saltFile} is damaged`, {
      remedy: 'Restore it from a backup: without it, patients who opted out are not recognised.',
    });
  }

  patient(id: string): string {
    return this.hash('patient', id.trim());
  }

  /** Of an examination (a DICOM study). */
  examination(id: string): string {
    return this.hash('examination', id.trim());
  }

  series(id: string): string {
    return this.hash('series', id);
  }

  /** Of one image (a SOP instance). */
  instance(id: string): string {
    return this.hash('instance', id);
  }

  path(path: string): string {
    return this.hash('path', path);
  }

  digest(digest: string): string {
    return this.hash('digest', digest);
  }

  /** Names the salt itself, to notice another one. */
  mark(): string {
    return this.hash('salt', '');
  }

  private hash(kind: string, text: string): string {
    return createHmac('sha256', this.salt).update(`${kind}\0${text}`).digest('hex').slice(0, HEX_DIGITS);
  }
}

function readSalt(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  }
}

/** Whole or not at all, and once: of two processes that make it at the same time, one wins and both use its salt. */
function makeSalt(file: string): Buffer {
  const partial = `${file}.${newId('partial')}`;
  try {
    makePrivateFolder(dirname(file));
    writeFileSync(partial, randomBytes(SALT_BYTES), { mode: 0o600, flag: 'wx', flush: true });
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
