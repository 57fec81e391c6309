import { request } from 'node:https';
import { type DetailedPeerCertificate, rootCertificates, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import type { OutgoingLine } from './outgoing-line.js';

/** Who vouches for what answers at an address. */
export interface CertificateFacts {
  /** The authority at the end of the chain as far as it was sent, in its own words. */
  readonly authority: string;
  /** Everybody who signed on the way, the certificate's own issuer first. */
  readonly issuers: readonly string[];
  /** Whether the chain ends at one of the authorities that every computer trusts. */
  readonly isPublic: boolean;
  readonly validUntilMs: number;
}

/**
 * Looks at the certificate that answers, trusted or not: nothing is sent to it but a question for "/", without a credential. Rejects
 * with the system's error when nothing speaks TLS there.
 */
export function inspectCertificate(url: string, line: OutgoingLine, signal: AbortSignal): Promise<CertificateFacts> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'HEAD', agent: line.agentFor(url), rejectUnauthorized: false, signal });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const certificate = (response.socket as TLSSocket).getPeerCertificate(true);
      response.destroy();
      // A socket that was opened without trust must serve no other request.
      response.socket.destroy();
      resolve(factsOf(certificate));
    });
    asked.end();
  });
}

function factsOf(leaf: DetailedPeerCertificate): CertificateFacts {
  const issuers: string[] = [];
  let last = leaf;
  for (let one = leaf; issuers.length < 10; one = one.issuerCertificate) {
    last = one;
    issuers.push(wordsFor(one.issuer));
    if ((one.issuerCertificate as DetailedPeerCertificate | undefined) === undefined || one.issuerCertificate === one) break;
  }
  const authority = issuers.at(-1) ?? '';
  return { authority, issuers: [...new Set(issuers)], isPublic: isPublic(last), validUntilMs: Date.parse(leaf.valid_to) };
}

function isPublic({ raw }: DetailedPeerCertificate): boolean {
  const certificate = new X509Certificate(raw);
  return rootCertificates.some((pem) => {
    const root = new X509Certificate(pem);
    return (
      root.fingerprint256 === certificate.fingerprint256 || (certificate.checkIssued(root) && certificate.verify(root.publicKey))
    );
  });
}

function wordsFor({ CN, O }: DetailedPeerCertificate['issuer']): string {
  const parts = [CN, O].flat().filter((part): part is string => typeof part === 'string' && part !== '');
  return [...new Set(parts)].join(', ') || 'an authority without a name';
}
