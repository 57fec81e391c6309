import { digestOfBytes, newSecret } from '@consilium/shared/kernel';

/** A secret to hand out once, and the digest to keep. The secrets have 256 random bits, so a plain digest cannot be guessed. */
export interface IssuedSecret {
  readonly secret: string;
  readonly digest: string;
}

export function issueEnrolmentToken(): IssuedSecret {
  return issue('enrol');
}

export function issueSiteCredential(): IssuedSecret {
  return issue('site');
}

export function secretDigest(secret: string): string {
  return digestOfBytes(secret);
}

/** The token of an "Authorization: Bearer …" header. */
export function bearerToken(header: string | null | undefined): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(header ?? '')?.[1];
}

function issue(prefix: string): IssuedSecret {
  const secret = newSecret(prefix);
  return { secret, digest: secretDigest(secret) };
}
