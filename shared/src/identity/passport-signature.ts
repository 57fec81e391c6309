import { compactVerify, CompactSign, decodeProtectedHeader } from 'jose';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { type PublicKey, publicKeySchema, SIGNATURE, type SigningKey, thumbprintOf } from './signing-key.js';

const TYPE = 'model-passport+jws';

const headerSchema = z.object({ typ: z.literal(TYPE), jwk: publicKeySchema });

/** What is signed of a passport: its seal, which is the digest of all that it says. */
interface SealedContent {
  readonly seal: string;
  readonly signature?: string | undefined;
}

/** Who signed a passport. */
export interface PassportSigner {
  readonly publicKey: PublicKey;
  /** The key's name; see {@link thumbprintOf}. */
  readonly thumbprint: string;
}

/** The same with a signature (compact JWS, RFC 7515) over its seal, which carries the public half of the key: it can be checked offline. */
export async function signedPassport<T extends SealedContent>(key: SigningKey, content: T): Promise<T & { signature: string }> {
  const signature = await new CompactSign(Buffer.from(content.seal))
    .setProtectedHeader({ alg: SIGNATURE, typ: TYPE, jwk: { ...key.publicKey } })
    .sign(key.privateKey);
  return { ...content, signature };
}

/**
 * Who has signed the passport; undefined where nobody has. Whether the key is one to be trusted is for {@link checkSignature}.
 * Throws PASSPORT_INVALID for a signature that is not one of this seal by the key that it names.
 */
export async function signerOf({ seal, signature }: SealedContent): Promise<PassportSigner | undefined> {
  if (signature === undefined) return undefined;
  try {
    const { jwk: publicKey } = headerSchema.parse(decodeProtectedHeader(signature));
    const { payload } = await compactVerify(signature, { ...publicKey }, { algorithms: [SIGNATURE] });
    if (Buffer.from(payload).toString() !== seal) throw new Error('the signature is that of another passport');
    return { publicKey, thumbprint: thumbprintOf(publicKey) };
  } catch (cause) {
    throw new FederationError('PASSPORT_INVALID', 'the passport’s signature is not valid', {
      cause,
      remedy: 'The passport or its signature was changed: fetch it again, and ask whoever gave it to you.',
    });
  }
}

/** Which signatures are good enough. */
export interface SignatureDemand {
  /** Names of the keys that are known to be right; with none, any key will do and its name is for a person to compare. */
  readonly trusted: readonly string[];
  /** Refuse a passport that nobody has signed: earlier coordinators signed none. */
  readonly required: boolean;
}

/**
 * Who has signed the passport, held against what is demanded; undefined where nobody has and nobody need. Throws PASSPORT_INVALID for
 * a broken signature, for one by another key than those that are trusted, and for a lack where one is required.
 */
export async function checkSignature(
  passport: SealedContent,
  { trusted, required }: SignatureDemand,
): Promise<PassportSigner | undefined> {
  const signer = await signerOf(passport);
  if (signer === undefined) {
    if (!required) return undefined;
    throw new FederationError('PASSPORT_INVALID', 'the passport is not signed', {
      remedy: 'Fetch it again from its coordinator; earlier releases signed none, and only their seals can be checked.',
    });
  }
  if (trusted.length === 0 || trusted.includes(signer.thumbprint)) return signer;
  throw new FederationError(
    'PASSPORT_INVALID',
    `the passport is signed with a key that is not known here: ${signer.thumbprint}`,
    {
      details: { key: signer.thumbprint },
      remedy: 'Ask the coordinator’s operator for its name (coordinator key show), and name it with --key if it is this one.',
    },
  );
}

/** One line on {@link checkSignature}'s answer, for a terminal. */
export function describeSigner(signer: PassportSigner | undefined, { trusted }: Pick<SignatureDemand, 'trusted'>): string {
  if (signer === undefined) return 'nobody: only the seals could be checked';
  const compared = trusted.includes(signer.thumbprint)
    ? 'a key that is known here'
    : 'compare this name with the coordinator’s own';
  return `${signer.thumbprint} (${compared})`;
}
