/** Proofs of possession in the manner of DPoP (RFC 9449): each request is signed with the key that its credential is bound to. */
import { createHash, randomUUID } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, SignJWT } from 'jose';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { type PublicKey, publicKeySchema, SIGNATURE, type SigningKey, thumbprintOf } from './signing-key.js';

/** Names of RFC 9449: the scheme of the Authorization header, and the headers of a proof and of what makes the next one fresh. */
export const PROOF_SCHEME = 'DPoP';
export const PROOF_HEADER = 'dpop';
export const NONCE_HEADER = 'dpop-nonce';

const TYPE = 'dpop+jwt';
/** Several times what a proof with the longest address needs. */
const MOST_CHARACTERS = 4096;

const headerSchema = z.object({ typ: z.literal(TYPE), alg: z.literal(SIGNATURE), jwk: publicKeySchema });
const claimsSchema = z.object({
  jti: z.string().min(8).max(64),
  htm: z.string().max(16),
  htu: z.url().max(2048),
  iat: z.number(),
  ath: z.string().max(64).optional(),
  nonce: z.string().max(128).optional(),
});

/** The request that a proof is made for. */
export interface ProvenRequest {
  readonly method: string;
  /** Its whole address; query and fragment are not part of the proof. */
  readonly url: string;
  /** The secret that goes with the request, so that the proof is of no use with another one. */
  readonly secret?: string | undefined;
  /** What the coordinator gave last. */
  readonly nonce?: string | undefined;
}

/** What a sound proof says. That it is fresh and comes for the first time is for whoever knows the nonces to judge. */
export interface SoundProof {
  readonly publicKey: PublicKey;
  readonly thumbprint: string;
  readonly id: string;
  readonly nonce: string | undefined;
}

export function signProof(key: SigningKey, { method, url, secret, nonce }: ProvenRequest): Promise<string> {
  const claims = { htm: method, htu: url.replace(/[?#].*$/s, ''), ath: secret && hashOf(secret), nonce };
  return new SignJWT(claims)
    .setProtectedHeader({ typ: TYPE, alg: SIGNATURE, jwk: { ...key.publicKey } })
    .setJti(randomUUID())
    .setIssuedAt()
    .sign(key.privateKey);
}

/**
 * Checks a proof against the request that it came with, but for its freshness; its own time counts nothing, for clocks differ.
 * Addresses are compared by path: a proxy that ends TLS changes the scheme and the host, one that adds a prefix the beginning of
 * the path. Throws PROOF_REFUSED.
 */
export async function checkProof(
  proof: string | undefined,
  { method, path, secret }: { readonly method: string; readonly path: string; readonly secret?: string | undefined },
): Promise<SoundProof> {
  if (proof === undefined || proof === '') throw refused('the request lacks a proof of the site’s key');
  const { publicKey, claims } = await verified(proof);
  if (claims.htm !== method) throw refused('the proof was made for another method');
  if (!isSamePlace(claims.htu, path)) throw refused('the proof was made for another address');
  if (claims.ath !== (secret && hashOf(secret))) throw refused('the proof was made for another credential');
  return { publicKey, thumbprint: thumbprintOf(publicKey), id: claims.jti, nonce: claims.nonce };
}

async function verified(proof: string): Promise<{ publicKey: PublicKey; claims: z.infer<typeof claimsSchema> }> {
  try {
    z.string().max(MOST_CHARACTERS).parse(proof);
    const { jwk: publicKey } = headerSchema.parse(decodeProtectedHeader(proof));
    const { payload } = await compactVerify(proof, { ...publicKey }, { algorithms: [SIGNATURE] });
    return { publicKey, claims: claimsSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8'))) };
  } catch (cause) {
    throw refused('the proof of the site’s key is malformed or was not signed with it', cause);
  }
}

function isSamePlace(url: string, path: string): boolean {
  const [claimed, asked] = [decoded(new URL(url).pathname), decoded(path)];
  return claimed !== undefined && asked !== undefined && asked.startsWith('/') && claimed.endsWith(asked);
}

/** Proxies may write an address with more or fewer escapes. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function refused(message: string, cause?: unknown): FederationError {
  return new FederationError('PROOF_REFUSED', message, {
    cause,
    remedy:
      'A proxy that rewrites addresses or methods may be the reason; else somebody tries what was made for another request.',
  });
}
