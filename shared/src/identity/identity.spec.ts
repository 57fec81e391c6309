import { createHmac, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import { makeKeyFile, readKeyFile } from './key-file.js';
import { checkProof, signProof } from './proof.js';
import { readCredential, signCredential } from './signed-credential.js';
import { newSigningKey, type SigningKey, signingKeyOf, thumbprintOf } from './signing-key.js';

const key = newSigningKey();
const other = newSigningKey();
const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const partsOf = (token: string): string[] => token.split('.');
const jsonOf = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>;

/** The same token with other content under the old signature. */
function altered(token: string, change: { header?: object; payload?: object }): string {
  const [header, payload, signature = ''] = partsOf(token);
  return [
    base64url({ ...jsonOf(header), ...change.header }),
    base64url({ ...jsonOf(payload), ...change.payload }),
    signature,
  ].join('.');
}

/** Signed with HMAC, and with the public key as its secret: what a library would take that believes the header. */
function confused(token: string, { publicKey }: SigningKey): string {
  const [header, payload = ''] = partsOf(token);
  const signed = `${base64url({ ...jsonOf(header), alg: 'HS256' })}.${payload}`;
  return `${signed}.${createHmac('sha256', Buffer.from(publicKey.x, 'base64url')).update(signed).digest('base64url')}`;
}

function unsigned(token: string): string {
  const [header, payload = ''] = partsOf(token);
  return `${base64url({ ...jsonOf(header), alg: 'none' })}.${payload}.`;
}

describe('keys', () => {
  it('are named as RFC 8037 names its example, and as jose does', async () => {
    const example = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const;
    expect(thumbprintOf(example)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(key.thumbprint).toBe(await calculateJwkThumbprint({ ...key.publicKey }));
  });

  it('lie in a file for their owner alone, and come back as they were', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keys-'));
    try {
      const path = join(folder, 'site.key');
      expect(readKeyFile(path)).toBeUndefined();
      const made = makeKeyFile(path);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(createPrivateKey(readFileSync(path)).asymmetricKeyType).toBe('ed25519');
      expect(readKeyFile(path)).toMatchObject({ thumbprint: made.thumbprint, publicKey: made.publicKey });
      expect(makeKeyFile(path).thumbprint).not.toBe(made.thumbprint);
      writeFileSync(path, 'planted words');
      expect(() => readKeyFile(path)).toThrow(/cannot be read as an Ed25519 key/);
      expect(() => readKeyFile(path)).not.toThrow(/planted/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of other kinds are none', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(signingKeyOf(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())).toBeUndefined();
  });
});

describe('a credential', () => {
  const claims = { siteId: 'site_1', thumbprint: other.thumbprint, expiresAtMs: 1_000_500 };

  it('says what was signed, until it expires', async () => {
    const credential = await signCredential(key, claims);
    expect(await readCredential(key, credential, 1_000_499)).toEqual(claims);
    await expect(readCredential(key, credential, 1_000_500)).rejects.toMatchObject({
      code: 'CREDENTIAL_EXPIRED',
      retryable: true,
    });
  });

  it.each([
    ['of another key', async () => signCredential(other, claims)],
    ['for another site', async () => altered(await signCredential(key, claims), { payload: { sub: 'site_2' } })],
    ['for another key of a site', async () => altered(await signCredential(key, claims), { payload: { cnf: { jkt: 'mine' } } })],
    ['for a longer time', async () => altered(await signCredential(key, claims), { payload: { exp: 9e9 } })],
    ['without a signature', async () => unsigned(await signCredential(key, claims))],
    ['with the public key as a secret', async () => confused(await signCredential(key, claims), key)],
    ['that is a proof', async () => signProof(key, { method: 'GET', url: 'https://c/' })],
    ['that is no token', async () => 'site_abc'],
  ])('%s is none', async (_what, make) => {
    await expect(readCredential(key, await make(), 0)).rejects.toMatchObject({ code: 'CREDENTIAL_EXPIRED' });
  });
});

describe('a proof', () => {
  const url = 'https://coordinator.example/consilium/api/site/blobs/blake3:ab?part=1#here';
  const request = { method: 'GET', url, secret: 'credential', nonce: 'n1' };
  const asked = { method: 'GET', path: '/api/site/blobs/blake3:ab', secret: 'credential' };

  it('is sound for its request, behind a proxy that ends TLS and adds a prefix', async () => {
    const proof = await signProof(key, request);
    const [header, payload] = partsOf(proof);
    expect(jsonOf(header)).toEqual({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.publicKey });
    expect(jsonOf(payload)).toMatchObject({ htm: 'GET', htu: url.replace(/\?.*/, ''), nonce: 'n1' });
    const { id, ...sound } = await checkProof(proof, asked);
    expect(sound).toEqual({ publicKey: key.publicKey, thumbprint: key.thumbprint, nonce: 'n1' });
    expect(id).not.toBe((await checkProof(await signProof(key, request), asked)).id);
    await checkProof(proof, { ...asked, path: '/api/site/blobs/blake3%3Aab' });
  });

  it.each([
    ['another method', { ...asked, method: 'PATCH' }, 'another method'],
    ['another path', { ...asked, path: '/api/site/blobs/blake3:ac' }, 'another address'],
    ['the end of a path', { ...asked, path: 'blobs/blake3:ab' }, 'another address'],
    ['another credential', { ...asked, secret: 'other' }, 'another credential'],
    ['no credential', { ...asked, secret: undefined }, 'another credential'],
  ])('is refused for %s', async (_what, used, words) => {
    const refusal = { code: 'PROOF_REFUSED', retryable: false, message: expect.stringContaining(words) as string };
    await expect(checkProof(await signProof(key, request), used)).rejects.toMatchObject(refusal);
  });

  it.each([
    ['none at all', async () => undefined],
    ['one without a signature', async () => unsigned(await signProof(key, request))],
    ['one with the public key as a secret', async () => confused(await signProof(key, request), key)],
    ['one with another key put in', async () => altered(await signProof(key, request), { header: { jwk: other.publicKey } })],
    [
      'one that shows a private key',
      async () => altered(await signProof(key, request), { header: { jwk: { ...key.publicKey, d: 'x' } } }),
    ],
    ['one with altered claims', async () => altered(await signProof(key, request), { payload: { nonce: 'n2' } })],
    ['a credential', async () => signCredential(key, { siteId: 's', thumbprint: 't', expiresAtMs: 1 })],
    ['two in one', async () => `${await signProof(key, request)},${await signProof(key, request)}`],
    ['one without end', async () => (await signProof(key, { ...request, url: `https://c/${'a'.repeat(1500)}` })).repeat(3)],
  ])('is refused where there is %s', async (_what, make) => {
    await expect(checkProof(await make(), asked)).rejects.toMatchObject({ code: 'PROOF_REFUSED' });
  });
});
