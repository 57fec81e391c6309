/** TLS of the coordinator's own: the institution's certificate, read again when its files change. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server as SecureServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { FederationError } from '@consilium/shared/kernel';
import type { CertificateFiles } from '../config/coordinator-config.js';
import type { Log } from '../log.js';

/** Renewals take effect within this time; connections that are open stay as they are. */
const LOOK_EVERY_MS = 2_000;

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The first name that it is made out to; undefined when it has addresses only. */
  readonly name: string | undefined;
  readonly validUntilMs: number;
}

/** Throws CONFIG_INVALID when a file cannot be read or used, when both do not belong together, or when the certificate is out of date. */
export function readCertificate(files: CertificateFiles, nowMs: number): Certificate {
  const cert = readPem(files.certificate);
  const key = readPem(files.key);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw unusable(`${files.certificate} and ${files.key} cannot be used together: ${messageOf(cause)}`, cause);
  }
  const certificate = new X509Certificate(cert);
  const validUntilMs = Date.parse(certificate.validTo);
  if (validUntilMs <= nowMs) throw unusable(`the certificate in ${files.certificate} was valid until ${certificate.validTo}`);
  const name = /(?:^|, )DNS:([^,*]+)(?:,|$)/.exec(certificate.subjectAltName ?? '')?.[1];
  return { cert, key, name, validUntilMs };
}

/**
 * Hands the server a renewed certificate as soon as both files hold one; until then, and when they hold nothing that can be used, the
 * one before is used on. Returns the function that ends it.
 */
export function followCertificate(server: SecureServer, files: CertificateFiles, log: Log): () => void {
  const look = (): void => {
    try {
      const { cert, key, validUntilMs } = readCertificate(files, Date.now());
      server.setSecureContext({ cert, key });
      log.info(`a new certificate is in use, valid until ${new Date(validUntilMs).toISOString()}`);
    } catch (error) {
      log.warn(`the certificate before is used on: ${messageOf(error)}`);
    }
  };
  const paths = [files.certificate, files.key];
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, look);
  return () => {
    for (const path of paths) unwatchFile(path, look);
  };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unusable(`${path} cannot be read: ${messageOf(cause)}`, cause);
  }
}

function unusable(message: string, cause?: unknown): FederationError {
  return new FederationError('CONFIG_INVALID', message, {
    cause,
    remedy: 'Name PEM files with tlsCertificate (the chain too) and tlsKey, as your certificate authority gave them.',
  });
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
