import { rmSync } from 'node:fs';
import { systemClock } from '@consilium/shared/kernel';
import { makeKeyFile } from '@consilium/shared/identity';
import { AGENT_VERSION } from '../config/agent-version.js';
import { noteCoordinatorKey } from '../config/coordinator-keys.js';
import { makePrivateFolder } from '../config/private-files.js';
import { saveIdentity, type SiteIdentity } from '../config/site-identity.js';
import type { SiteFolder } from '../config/site-folder.js';
import { enrol } from './enrolment.js';
import type { OutgoingLine } from './outgoing-line.js';
import { takeNextKey } from './renew-key.js';

/**
 * A one-time token becomes this folder's identity, with a key that is made here. The key takes the place of an earlier one only when
 * the coordinator knows it. Throws as {@link enrol} does.
 */
export async function joinSite(
  folder: SiteFolder,
  coordinatorUrl: string,
  token: string,
  line?: OutgoingLine,
): Promise<SiteIdentity> {
  makePrivateFolder(folder.home);
  const key = makeKeyFile(folder.nextKeyFile);
  const answer = await enrol(coordinatorUrl, token, AGENT_VERSION, { key, line }).catch((refusal: unknown) => {
    rmSync(folder.nextKeyFile, { force: true });
    throw refusal;
  });
  const { siteId, siteName, credential, expiresInMs, coordinatorKey } = answer;
  takeNextKey(folder);
  const known = { siteId, siteName, coordinatorUrl };
  // A credential that is bound to the key is soon over: the agent asks for another when it starts.
  const identity = expiresInMs === undefined ? { ...known, credential } : known;
  saveIdentity(folder, identity);
  // Another coordinator than before has keys of its own.
  rmSync(folder.coordinatorKeysFile, { force: true });
  if (coordinatorKey !== undefined) noteCoordinatorKey(folder, coordinatorKey, systemClock.nowMs());
  return identity;
}
