import { reasonOf } from './coordinator-address.js';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at its address',
  ENOTFOUND: 'its name is not known here',
  EAI_AGAIN: 'its name cannot be looked up now',
  EHOSTUNREACH: 'no way leads to it',
  ENETUNREACH: 'there is no network',
  ETIMEDOUT: 'it does not answer',
  ECONNRESET: 'the connection was cut',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is made out to another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
};

/** Of OpenSSL, for a certificate whose authority this computer does not know. */
const UNKNOWN_AUTHORITY = /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER))/;

/** What to do about a certificate that is not trusted; undefined for any other reason. */
export function certificateRemedy(reason: string): string | undefined {
  if (UNKNOWN_AUTHORITY.test(reason)) {
    return (
      'Its certificate is of an authority that this computer does not know. Name the authority’s PEM file in site.yaml, ' +
      '"authority: /path/to/authority.pem", or start with NODE_EXTRA_CA_CERTS=/path/to/authority.pem.'
    );
  }
  const words = /CERT/.test(reason) ? WORDS[reason] : undefined;
  if (words !== undefined && /EXPIRED|NOT_YET/.test(reason)) {
    return `Look at this computer's date first: a wrong clock makes a good certificate look so. If it is right, tell the coordinator’s operator: ${words}.`;
  }
  return words && `Tell the coordinator’s operator: ${words}.`;
}

/** Why socket.io could not connect, in words and with the system's code; socket.io hides the cause differently in each transport. */
export function reasonOfConnectError(error: Error): string {
  const candidates = [
    memberOf(memberOf(error, 'description'), 'error'),
    memberOf(memberOf(error, 'context'), 'statusText'),
    error,
  ];
  const coded = candidates.find((candidate) => typeof memberOf(candidate, 'code') === 'string');
  const worded = candidates.find((candidate) => typeof memberOf(candidate, 'message') === 'string');
  return reasonInWords(reasonOf(coded ?? worded ?? error));
}

/** The system's code with what it means before it, where that is known. */
export function reasonInWords(reason: string): string {
  const words = UNKNOWN_AUTHORITY.test(reason) ? 'its certificate is of an unknown authority' : WORDS[reason];
  return words === undefined ? reason : `${words}, ${reason}`;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined;
}
