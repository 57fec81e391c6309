import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import { nameField } from '@consilium/shared/wire';
import { makePrivateFolder } from './private-files.js';
import type { SiteFolder } from './site-folder.js';

/**
 * Who this site is to its coordinator. A credential is there only where the site has no key that the coordinator knows: of an agent
 * before keys. It is a secret, shown nowhere, in a file for the owner only.
 */
const siteIdentitySchema = z.object({
  siteId: z.string(),
  siteName: nameField,
  coordinatorUrl: z.url(),
  credential: z.string().min(1).optional(),
});
export type SiteIdentity = z.infer<typeof siteIdentitySchema>;

/** The identity of this folder, or undefined before `join`. Throws CONFIG_INVALID when the file was damaged. */
export function readIdentity(folder: SiteFolder): SiteIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(folder.identityFile, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return siteIdentitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${folder.identityFile} cannot be read as a site identity`, {
      cause,
      remedy: 'Ask the operator for a new token and run "site-agent join" with --force.',
    });
  }
}

/** Throws NOT_JOINED, with the command that cures it, when the folder has no identity. */
export function requireIdentity(folder: SiteFolder): SiteIdentity {
  const identity = readIdentity(folder);
  if (identity !== undefined) return identity;
  throw new FederationError('NOT_JOINED', `the folder ${folder.home} belongs to no site yet`, {
    remedy: 'Ask the operator for a token and run: site-agent join --coordinator URL',
  });
}

/** Writes the file whole (temporary neighbour, rename), readable by the owner only. */
export function saveIdentity(folder: SiteFolder, identity: SiteIdentity): void {
  makePrivateFolder(folder.home);
  const temporary = `${folder.identityFile}.${process.pid}.partial`;
  writeFileSync(temporary, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, folder.identityFile);
}
