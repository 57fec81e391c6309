import { errnoOf, FederationError } from '@consilium/shared/kernel';
import { reasonOfConnectError } from '../../link/connect-error.js';

/** Certificates that are not trusted: trying again does not help. */
const CERTIFICATE_CODES =
  /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/;
/** It was reached, and gave no answer: to this question, perhaps to others. */
const UNANSWERED: Readonly<Record<string, string>> = {
  ECONNRESET: 'the archive closed the connection without an answer',
  EPIPE: 'the archive closed the connection without an answer',
  ESTALLED: 'the archive was asked, and did not answer in time',
};
const WRONG_SERVICE = 'Check that the address is that of its DICOMweb service, often …/dicom-web or …/rs.';

/** What a status other than success means. */
export function statusFault(status: number, retryAfter: string | undefined, hadCredentials: boolean): FederationError {
  const details = { status };
  if (status === 401 || status === 403) {
    return new FederationError(
      'ARCHIVE_REFUSED',
      hadCredentials
        ? `the archive does not accept the credentials (HTTP status ${status})`
        : `the archive asks for credentials (HTTP status ${status})`,
      { details, remedy: 'Give --dicomweb-user with a password file, or a token file; ask the archive’s keeper for them.' },
    );
  }
  if (status === 404 || status === 410) {
    return new FederationError('NOT_FOUND', `the archive does not have it (HTTP status ${status})`, {
      details,
      remedy: WRONG_SERVICE,
    });
  }
  const passes = [408, 425, 429].includes(status) || (status >= 500 && ![501, 505].includes(status));
  if (passes) {
    const retryAfterMs = secondsOf(retryAfter) * 1000;
    return new FederationError('TRANSFER_BROKEN', `the archive answers with HTTP status ${status}`, {
      details: { status, retryAfterMs },
    });
  }
  return new FederationError('ARCHIVE_ANSWER_INVALID', `the archive answers with HTTP status ${status}`, {
    details,
    remedy: WRONG_SERVICE,
  });
}

/** Why no answer came. */
export function connectFault(cause: Error): FederationError {
  const code = errnoOf(cause) ?? '';
  if (CERTIFICATE_CODES.test(code)) {
    return new FederationError('ARCHIVE_UNREACHABLE', `the archive’s certificate is not trusted (${code})`, {
      cause,
      retryable: false,
      remedy: 'Name the hospital’s certificate authority: NODE_EXTRA_CA_CERTS=/path/to/authority.pem',
    });
  }
  const unanswered = UNANSWERED[code];
  if (unanswered !== undefined) return new FederationError('TRANSFER_BROKEN', unanswered, { cause });
  return new FederationError('ARCHIVE_UNREACHABLE', `the archive does not answer: ${reasonOfConnectError(cause)}`, {
    cause,
    remedy: 'Check the address, and that this computer may reach it.',
  });
}

export function redirectRefused(reason: string): FederationError {
  return new FederationError('ARCHIVE_ANSWER_INVALID', `the archive is not asked further: ${reason}`, {
    remedy: 'Give --dicomweb the address that the archive redirects to, if it is the right one.',
  });
}

function secondsOf(retryAfter: string | undefined): number {
  return retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : 0;
}
