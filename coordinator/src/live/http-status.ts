import type { ErrorCode, FederationError } from '@consilium/shared/kernel';
import { NONCE_HEADER, PROOF_SCHEME, SIGNATURE } from '@consilium/shared/identity';

/** The words of RFC 6750 and RFC 9449 for what a site's request lacks: all that an answer without a body can say. */
const CHALLENGES: Partial<Record<ErrorCode, string>> = {
  CREDENTIAL_REFUSED: 'invalid_token',
  CREDENTIAL_EXPIRED: 'invalid_token',
  PROOF_REFUSED: 'invalid_dpop_proof',
  PROOF_STALE: 'use_dpop_nonce',
};

/** The status of an error's kind; some codes are told apart further because HTTP has a word for them. */
export function httpStatusOf(error: FederationError): number {
  if (error.code === 'NOT_FOUND' || error.code === 'SITE_UNKNOWN') return 404;
  if (error.code === 'OPERATOR_REFUSED' || CHALLENGES[error.code] !== undefined) return 401;
  if (error.code === 'MESSAGE_REFUSED') return 400;
  if (error.code === 'COORDINATOR_BUSY' && error.details['perMinute'] !== undefined) return 429;
  return error.httpStatus;
}

/** The headers that go with the status. */
export function challengeOf({ code, details }: FederationError): Readonly<Record<string, string>> {
  const error = CHALLENGES[code];
  if (error === undefined) return {};
  const challenge = { 'WWW-Authenticate': `${PROOF_SCHEME} error="${error}", algs="${SIGNATURE}"` };
  return code === 'PROOF_STALE' ? { ...challenge, [NONCE_HEADER]: String(details['nonce']) } : challenge;
}
