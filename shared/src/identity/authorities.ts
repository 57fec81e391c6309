import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { FederationError } from '@consilium/shared/kernel';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates of authorities that a connection trusts: those that Node trusts by itself, and those in an institution's own file.
 * Throws CONFIG_INVALID when that cannot be read or holds no certificate.
 * @param extraFile what NODE_EXTRA_CA_CERTS names, of which Node's own list says nothing in earlier versions
 */
export function authoritiesWith(file: string, extraFile: string | undefined): string[] {
  return [...nodesOwn(extraFile), ...certificatesIn(file)];
}

function certificatesIn(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw unusable(`the file of the authority, ${file}, cannot be read`, cause);
  }
  const certificates = text.match(PEM) ?? [];
  if (certificates.length === 0) throw unusable(`${file} holds no certificate`);
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (cause) {
    throw unusable(`${file} holds a certificate that cannot be read`, cause);
  }
  return certificates;
}

/** Newer versions of Node say what they trust; the others trust their own list and what a variable names. */
function nodesOwn(extraFile: string | undefined): readonly string[] {
  if ('getCACertificates' in tls) return (tls.getCACertificates as () => string[])();
  if (extraFile === undefined || extraFile === '') return tls.rootCertificates;
  try {
    return [...tls.rootCertificates, ...(readFileSync(extraFile, 'utf8').match(PEM) ?? [])];
  } catch {
    return tls.rootCertificates; // as Node does, which has warned of it
  }
}

function unusable(message: string, cause?: unknown): FederationError {
  return new FederationError('CONFIG_INVALID', message, {
    cause,
    remedy: 'Name a PEM file with the certificate of your institution’s authority, such as "authority: /path/to/authority.pem".',
  });
}
