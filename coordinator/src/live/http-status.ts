import type { FederationError } from '@consilium/shared/kernel';

/** The status of an error's kind; two codes are told apart further because HTTP has a word for them. */
export function httpStatusOf(error: FederationError): number {
  if (error.code === 'NOT_FOUND' || error.code === 'SITE_UNKNOWN') return 404;
  if (error.code === 'OPERATOR_REFUSED' || error.code === 'CREDENTIAL_REFUSED') return 401;
  if (error.code === 'MESSAGE_REFUSED') return 400;
  return error.httpStatus;
}
