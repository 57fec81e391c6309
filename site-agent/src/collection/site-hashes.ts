import { createHmac } from 'node:crypto';
import { readOrMakeSecret } from '@consilium/shared/kernel';

const HEX_DIGITS = 32;

/**
 * Turns identifiers into names that mean nothing outside this site: HMAC-SHA-256 under a random salt that never leaves its
 * folder, 128 bits. Equal identifiers of one kind give equal hashes; the identifier cannot be had back without the salt.
 */
export class SiteHashes {
  private constructor(private readonly salt: Buffer) {}

  /** Reads the site's salt, or makes it (readable by its owner only). STORAGE_FAILED when the file is damaged. */
  static open(saltFile: string): SiteHashes {
    const remedy = 'Restore it from a backup: without it, patients who opted out are not recognised.';
    return new SiteHashes(readOrMakeSecret(saltFile, { what: 'the site’s salt', remedy }));
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
