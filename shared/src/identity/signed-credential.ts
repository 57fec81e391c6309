import { compactVerify, SignJWT } from 'jose';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { SIGNATURE, type SigningKey } from './signing-key.js';

const TYPE = 'site-credential+jwt';

/** What a credential says: this site, holding this key, until then. */
export interface CredentialClaims {
  readonly siteId: string;
  /** Of the site's key: who has the credential alone has nothing. */
  readonly thumbprint: string;
  /** By the clock of who signed it. */
  readonly expiresAtMs: number;
}

const claimsSchema = z.object({
  sub: z.string().min(1).max(128),
  cnf: z.object({ jkt: z.string().min(1).max(64) }),
  exp: z.number(),
});

/** A JWT (RFC 7519) that is bound to the key of its holder (RFC 7800). */
export function signCredential(key: SigningKey, { siteId, thumbprint, expiresAtMs }: CredentialClaims): Promise<string> {
  return new SignJWT({ cnf: { jkt: thumbprint } })
    .setProtectedHeader({ alg: SIGNATURE, typ: TYPE })
    .setSubject(siteId)
    .setExpirationTime(expiresAtMs / 1000)
    .sign(key.privateKey);
}

/**
 * The claims of a credential that this key has signed. CREDENTIAL_EXPIRED when its time is over, and for one that another key has
 * signed: the cure is the same, a new one. Says nothing of whether the site is still welcome.
 */
export async function readCredential(key: SigningKey, credential: string, nowMs: number): Promise<CredentialClaims> {
  const { sub, cnf, exp } = await verified(key, credential).catch((cause: unknown) => {
    throw needsNew('the site’s credential was not signed with this coordinator’s present key', cause);
  });
  const expiresAtMs = exp * 1000;
  if (nowMs >= expiresAtMs) throw needsNew('the site’s credential has expired');
  return { siteId: sub, thumbprint: cnf.jkt, expiresAtMs };
}

async function verified({ publicKey }: SigningKey, credential: string): Promise<z.infer<typeof claimsSchema>> {
  const { payload, protectedHeader } = await compactVerify(credential, { ...publicKey }, { algorithms: [SIGNATURE] });
  z.literal(TYPE).parse(protectedHeader.typ);
  return claimsSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
}

function needsNew(message: string, cause?: unknown): FederationError {
  return new FederationError('CREDENTIAL_EXPIRED', message, {
    cause,
    retryable: true,
    remedy: 'The agent asks for a new one by itself, signed with its key.',
  });
}
