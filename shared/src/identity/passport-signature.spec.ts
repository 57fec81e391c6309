import { CompactSign } from 'jose';
import { checkSignature, describeSigner, signedPassport, signerOf } from './passport-signature.js';
import { newSigningKey } from './signing-key.js';

describe('the signature of a passport', () => {
  const [key, other] = [newSigningKey(), newSigningKey()];
  const content = { name: 'chest', seal: 'blake3:aa' };
  const refused = expect.objectContaining({ code: 'PASSPORT_INVALID' }) as Error;

  it('names its signer to whoever reads it, offline', async () => {
    const passport = await signedPassport(key, content);
    expect(passport).toMatchObject(content);
    expect(await signerOf(passport)).toEqual({ publicKey: key.publicKey, thumbprint: key.thumbprint });
    expect(await signerOf(content)).toBeUndefined();
  });

  it('holds for one seal and one key only', async () => {
    const { signature } = await signedPassport(key, content);
    await expect(signerOf({ seal: 'blake3:ab', signature })).rejects.toEqual(refused);
    const [head = '', body = '', value = ''] = signature.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
    const swapped = Buffer.from(JSON.stringify({ ...header, jwk: other.publicKey })).toString('base64url');
    await expect(signerOf({ ...content, signature: [swapped, body, value].join('.') })).rejects.toEqual(refused);
    for (const broken of ['', 'a.b.c', `${head}.${body}.`, `${signature}x`, `${head}..${value}`])
      await expect(signerOf({ ...content, signature: broken })).rejects.toEqual(refused);
  });

  it('is none that was made for another purpose or by another algorithm', async () => {
    const sign = (header: { alg: string; typ?: string }): Promise<string> =>
      new CompactSign(Buffer.from(content.seal))
        .setProtectedHeader({ ...header, jwk: { ...key.publicKey } })
        .sign(header.alg === 'HS256' ? Buffer.from(key.publicKey.x) : key.privateKey);
    const forged = [
      await sign({ alg: 'EdDSA' }),
      await sign({ alg: 'EdDSA', typ: 'site-credential+jwt' }),
      await sign({ alg: 'HS256', typ: 'model-passport+jws' }),
    ];
    for (const signature of forged) await expect(signerOf({ ...content, signature })).rejects.toEqual(refused);
  });

  it('is held against the keys that are trusted, where there are any', async () => {
    const passport = await signedPassport(key, content);
    const check = (passed: typeof content, trusted: string[], required = false) => checkSignature(passed, { trusted, required });
    expect((await check(passport, [other.thumbprint, key.thumbprint]))?.thumbprint).toBe(key.thumbprint);
    await expect(check(passport, [other.thumbprint])).rejects.toMatchObject({
      code: 'PASSPORT_INVALID',
      details: { key: key.thumbprint },
    });
    expect((await check(passport, []))?.thumbprint).toBe(key.thumbprint);
    expect(await check(content, [key.thumbprint])).toBeUndefined();
    await expect(check(content, [], true)).rejects.toEqual(refused);
    const signer = await signerOf(passport);
    expect(describeSigner(signer, { trusted: [key.thumbprint] })).toBe(`${key.thumbprint} (a key that is known here)`);
    expect(describeSigner(signer, { trusted: [] })).toContain('compare this name');
    expect(describeSigner(undefined, { trusted: [] })).toContain('nobody');
  });
});
