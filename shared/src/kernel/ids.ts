import { randomBytes } from 'node:crypto';

/** A new random identifier such as "site_4f1c…" (80 random bits): unguessable is not required, unique is. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(10).toString('hex')}`;
}

/** A new secret of 256 random bits, URL-safe; store only its digest. */
export function newSecret(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}
