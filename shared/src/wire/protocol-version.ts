import { FederationError } from '@consilium/shared/kernel';

/** Version of the messages in this folder; raised when an older peer would misread one. */
export const PROTOCOL_VERSION = 1;

/** Throws PROTOCOL_VERSION, naming both numbers and who must upgrade, unless the peer speaks this version. */
export function requireProtocolVersion(theirs: number, peer: 'site agent' | 'coordinator'): void {
  if (theirs === PROTOCOL_VERSION) return;
  const behind = theirs < PROTOCOL_VERSION ? peer : peer === 'coordinator' ? 'site agent' : 'coordinator';
  throw new FederationError('PROTOCOL_VERSION', `the ${peer} speaks protocol ${theirs}, this side speaks ${PROTOCOL_VERSION}`, {
    details: { theirs, ours: PROTOCOL_VERSION },
    remedy: `Upgrade the ${behind}.`,
  });
}
