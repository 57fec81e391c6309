import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import type { SiteFolder } from './site-folder.js';

const knownKeySchema = z.strictObject({ thumbprint: z.string(), sinceMs: z.number() });
const fileSchema = z.array(knownKeySchema);
export type KnownKey = z.infer<typeof knownKeySchema>;

/**
 * The keys that this site's coordinator has named as its own, over the line that it was joined by, oldest first. An earlier one stays:
 * passports of before are still signed with it. Throws CONFIG_INVALID for a file that is not readable.
 */
export function knownCoordinatorKeys({ coordinatorKeysFile }: SiteFolder): readonly KnownKey[] {
  if (!existsSync(coordinatorKeysFile)) return [];
  try {
    return fileSchema.parse(JSON.parse(readFileSync(coordinatorKeysFile, 'utf8')));
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${coordinatorKeysFile} is damaged`, {
      cause,
      remedy: 'Remove it: the agent asks the coordinator for the name of its key when it starts.',
    });
  }
}

/** Notes a key; true when it is new and not the first, which an operator should be able to explain. */
export function noteCoordinatorKey(folder: SiteFolder, thumbprint: string, nowMs: number): boolean {
  const known = knownCoordinatorKeys(folder);
  if (known.some((key) => key.thumbprint === thumbprint)) return false;
  const written = `${folder.coordinatorKeysFile}.${process.pid}`;
  writeFileSync(written, JSON.stringify([...known, { thumbprint, sinceMs: nowMs }], null, 2), { mode: 0o600 });
  renameSync(written, folder.coordinatorKeysFile);
  return known.length > 0;
}
