import { FederationError, systemClock } from '@consilium/shared/kernel';
import { makeKeyFile, readKeyFile, type SigningKey } from '@consilium/shared/identity';
import { noteCoordinatorKey } from '../config/coordinator-keys.js';
import { saveIdentity, type SiteIdentity } from '../config/site-identity.js';
import type { SiteFolder } from '../config/site-folder.js';
import type { OutgoingLine } from './outgoing-line.js';
import { takeNextKey } from './renew-key.js';
import { BearerIdentity, type CoordinatorAccess, type RequestIdentity } from './request-identity.js';
import { SignedIdentity, type SignedIdentityOptions } from './signed-identity.js';

export interface AccessOptions {
  /** Another address of the coordinator than the one that was joined. */
  readonly coordinatorUrl?: string | undefined;
  /**
   * Trade a bearer credential of an earlier enrolment for a key. For the agent alone: it would take away the credential that a running
   * agent uses.
   */
  readonly trades?: boolean;
  readonly onTraded?: () => void;
  /** The coordinator signs with another key than before. */
  readonly onOtherCoordinatorKey?: (thumbprint: string) => void;
  readonly line?: OutgoingLine | undefined;
}

/** How a site's folder asks its coordinator. Throws CONFIG_INVALID when its key is gone. */
export function siteAccess(folder: SiteFolder, identity: SiteIdentity, options: AccessOptions = {}): CoordinatorAccess {
  const coordinatorUrl = options.coordinatorUrl ?? identity.coordinatorUrl;
  return { coordinatorUrl, line: options.line, identity: requestIdentity(folder, identity, { ...options, coordinatorUrl }) };
}

function requestIdentity(
  folder: SiteFolder,
  identity: SiteIdentity,
  { coordinatorUrl, trades, onTraded, onOtherCoordinatorKey, line }: AccessOptions & { coordinatorUrl: string },
): RequestIdentity {
  const { credential, ...rest } = identity;
  const onCoordinatorKey = (thumbprint: string): void => {
    if (noteCoordinatorKey(folder, thumbprint, systemClock.nowMs())) onOtherCoordinatorKey?.(thumbprint);
  };
  if (credential === undefined)
    return new SignedIdentity({ coordinatorUrl, key: requireKey(folder), line, other: otherKey(folder), onCoordinatorKey });
  if (trades !== true) return new BearerIdentity(credential);
  return new SignedIdentity({
    coordinatorUrl,
    key: readKeyFile(folder.keyFile) ?? makeKeyFile(folder.keyFile),
    line,
    bearer: credential,
    onCoordinatorKey,
    onTraded: () => {
      saveIdentity(folder, rest);
      onTraded?.();
    },
  });
}

/** Left by a renewal of the key that was interrupted. */
function otherKey(folder: SiteFolder): SignedIdentityOptions['other'] {
  const key = readKeyFile(folder.nextKeyFile);
  return key && { key, onTaken: () => takeNextKey(folder) };
}

export function requireKey({ keyFile }: SiteFolder): SigningKey {
  const key = readKeyFile(keyFile);
  if (key !== undefined) return key;
  throw new FederationError('CONFIG_INVALID', `the key of this site is gone from ${keyFile}`, {
    remedy: 'Put it back; or ask the operator to revoke the site and for a new token, and run "site-agent join" with --force.',
  });
}
