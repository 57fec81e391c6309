import { FederationError } from '@consilium/shared/kernel';

/** Newest version of the messages in this folder; raised when an older peer would misread or refuse one. */
export const PROTOCOL_VERSION = 2;

/** Oldest version that this side still speaks. docs/reference/protocol.md lists what each version has. */
export const OLDEST_PROTOCOL_VERSION = 1;

/** The versions that one side speaks, all of them from the oldest to the newest. */
export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

export const OUR_PROTOCOLS: ProtocolRange = { oldest: OLDEST_PROTOCOL_VERSION, newest: PROTOCOL_VERSION };

type Peer = 'site agent' | 'coordinator';

/**
 * The newest version that both sides speak. Throws PROTOCOL_VERSION, naming both sides' versions and who must upgrade, when
 * there is none; its details are what {@link protocolToTry} reads at the other side.
 */
export function agreeOnProtocol(theirs: ProtocolRange, peer: Peer, ours: ProtocolRange = OUR_PROTOCOLS): number {
  const agreed = Math.min(theirs.newest, ours.newest);
  if (agreed >= Math.max(theirs.oldest, ours.oldest)) return agreed;
  const behind = theirs.newest < ours.newest ? peer : peer === 'coordinator' ? 'site agent' : 'coordinator';
  throw new FederationError('PROTOCOL_VERSION', `the ${peer} speaks protocol ${inWords(theirs)}, this side ${inWords(ours)}`, {
    details: { theirs: theirs.newest, ours: ours.newest, oldest: ours.oldest },
    remedy: `Upgrade the ${behind}.`,
  });
}

/** A peer that names one version speaks that one. */
export function exactly(version: number): ProtocolRange {
  return { oldest: version, newest: version };
}

/**
 * After a refusal with PROTOCOL_VERSION: the version to try next, which the refusing side named as its newest. Undefined when
 * this side does not speak it, or has just been refused with it.
 */
export function protocolToTry(refusal: FederationError, tried: number, ours: ProtocolRange = OUR_PROTOCOLS): number | undefined {
  const theirs = refusal.details['ours'];
  if (refusal.code !== 'PROTOCOL_VERSION' || typeof theirs !== 'number' || theirs === tried) return undefined;
  return theirs >= ours.oldest && theirs <= ours.newest ? theirs : undefined;
}

function inWords({ oldest, newest }: ProtocolRange): string {
  return oldest === newest ? String(newest) : `${oldest} to ${newest}`;
}
