import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { z } from 'zod';

/** The one signature algorithm of this room, by its name in JOSE (RFC 8037). Nothing else is accepted, whatever a header says. */
export const SIGNATURE = 'EdDSA';

/** The public half of a key, as a JWK (RFC 8037) and with nothing besides: a private half would be refused. */
export const publicKeySchema = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url'),
});
export type PublicKey = Readonly<z.infer<typeof publicKeySchema>>;

/** An Ed25519 key with its private half, which stays in the process and in the file that it came from. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;
  /** See {@link thumbprintOf}. */
  readonly thumbprint: string;
}

export function newSigningKey(): SigningKey {
  return withPublicHalf(generateKeyPairSync('ed25519').privateKey);
}

/** The key of a PKCS #8 PEM text; undefined when it is none, or one of another kind. */
export function signingKeyOf(pem: string): SigningKey | undefined {
  try {
    const privateKey = createPrivateKey(pem);
    return privateKey.asymmetricKeyType === 'ed25519' ? withPublicHalf(privateKey) : undefined;
  } catch {
    return undefined;
  }
}

/** The name of a public key: SHA-256 of its canonical JWK (RFC 7638), 43 characters of base64url. */
export function thumbprintOf({ crv, kty, x }: PublicKey): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

function withPublicHalf(privateKey: KeyObject): SigningKey {
  const { kty, crv, x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKey = publicKeySchema.parse({ kty, crv, x });
  return { privateKey, publicKey, thumbprint: thumbprintOf(publicKey) };
}
