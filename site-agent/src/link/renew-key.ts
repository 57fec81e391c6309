import { existsSync, renameSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { makeKeyFile, readKeyFile, type SigningKey } from '@consilium/shared/identity';
import type { SiteFolder } from '../config/site-folder.js';
import { requestCredential } from './credential-request.js';
import type { OutgoingLine } from './outgoing-line.js';

export interface RenewKeyOrder {
  readonly coordinatorUrl: string;
  readonly line?: OutgoingLine | undefined;
  readonly key: SigningKey;
}

/**
 * A new key takes the place of the site's, each signing for the other; the old one is void from then on. May be repeated after it was
 * interrupted: until the coordinator has answered, both keys are kept. Throws as a renewal of the credential does.
 */
export async function renewKey(folder: SiteFolder, { coordinatorUrl, line, key }: RenewKeyOrder): Promise<SigningKey> {
  const nonces = nonceKeeper();
  const left = existsSync(folder.nextKeyFile) ? readKeyFile(folder.nextKeyFile) : undefined;
  if (left !== undefined && (await isKnown({ coordinatorUrl, line, key: left, nonces }))) return take(folder, left);
  const next = makeKeyFile(folder.nextKeyFile);
  await requestCredential({ coordinatorUrl, line, key, next, nonces });
  return take(folder, next);
}

/** The new key becomes the site's, whatever interrupted it before. */
export function takeNextKey({ keyFile, nextKeyFile }: SiteFolder): void {
  renameSync(nextKeyFile, keyFile);
}

function take(folder: SiteFolder, key: SigningKey): SigningKey {
  takeNextKey(folder);
  return key;
}

async function isKnown(order: Parameters<typeof requestCredential>[0]): Promise<boolean> {
  try {
    await requestCredential(order);
    return true;
  } catch (thrown) {
    if (FederationError.from(thrown).code === 'CREDENTIAL_REFUSED') return false;
    throw thrown;
  }
}

function nonceKeeper(): { nonce: string | undefined; heardNonce(nonce: string): void } {
  return {
    nonce: undefined,
    heardNonce(nonce) {
      this.nonce = nonce;
    },
  };
}
