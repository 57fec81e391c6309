import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newSigningKey } from '@consilium/shared/identity';
import { sendAs } from './request-identity.js';
import { SignedIdentity, type SignedIdentityOptions } from './signed-identity.js';

const key = newSigningKey();

describe('SignedIdentity', () => {
  let server: Server;
  let coordinatorUrl: string;
  let asked: { proof: Record<string, unknown>; authorization: string | undefined }[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let elapsedMs: number;
  let credentials = 0;

  const grant = (expiresInMs: number) => (_request: IncomingMessage, response: ServerResponse) =>
    response.setHeader('DPoP-Nonce', 'n2').end(JSON.stringify({ credential: `credential-${++credentials}`, expiresInMs }));
  const claimsOf = (proof: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(proof.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  const identity = (options: Partial<SignedIdentityOptions> = {}): SignedIdentity =>
    new SignedIdentity({ coordinatorUrl, key, elapsedMs: () => elapsedMs, ...options });

  beforeEach(async () => {
    [asked, elapsedMs, credentials] = [[], 1000, 0];
    answer = grant(60_000);
    server = createServer((request, response) => {
      asked.push({ proof: claimsOf(String(request.headers['dpop'])), authorization: request.headers.authorization });
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    coordinatorUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('asks once for a credential, however many requests wait for it, and anew at half its life', async () => {
    const site = identity();
    const all = await Promise.all([1, 2, 3].map(() => site.headers('GET', `${coordinatorUrl}/api/site/campaigns?x=1`)));
    expect(all.map(({ authorization }) => authorization)).toEqual(Array(3).fill('DPoP credential-1'));
    const proofs = all.map((headers) => claimsOf(headers['dpop'] ?? ''));
    expect(proofs[0]).toMatchObject({ htm: 'GET', htu: `${coordinatorUrl}/api/site/campaigns`, nonce: 'n2' });
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(3);
    expect(asked[0]?.proof).toMatchObject({ htm: 'POST', htu: `${coordinatorUrl}/api/site/credential` });
    elapsedMs += 29_999;
    expect(await site.handshake()).toMatchObject({ credential: 'credential-1' });
    elapsedMs += 1;
    const { credential, proof } = await site.handshake();
    expect(credential).toBe('credential-2');
    expect(claimsOf(proof ?? '')).toMatchObject({ htm: 'GET', htu: `${coordinatorUrl}/socket.io/` });
    expect(asked).toHaveLength(2);
  });

  it('takes the nonce of a refusal and asks once more, not for ever', async () => {
    answer = ({ headers }, response) => {
      if (claimsOf(String(headers['dpop']))['nonce'] === 'n1') return grant(60_000)(response.req, response);
      return response.writeHead(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' }).end();
    };
    await expect(identity().handshake()).resolves.toMatchObject({ credential: 'credential-1' });
    expect(asked.map(({ proof }) => proof['nonce'])).toEqual([undefined, 'n1']);
    answer = (_request, response) => response.writeHead(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"' }).end();
    await expect(identity().handshake()).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    expect(asked).toHaveLength(4);
  });

  it('trades a bearer credential, which is told', async () => {
    let traded = 0;
    const site = identity({ bearer: 'site_old', onTraded: () => traded++ });
    await expect(site.handshake()).resolves.toMatchObject({ credential: 'credential-1' });
    expect([traded, asked[0]?.authorization]).toEqual([1, 'Bearer site_old']);
    expect(asked[0]?.proof['ath']).toBeDefined();
  });

  it('uses a bearer credential on with a coordinator that knows no keys', async () => {
    answer = (_request, response) => response.writeHead(404).end();
    const site = identity({ bearer: 'site_old', onTraded: () => expect(true).toBe(false) });
    expect(await site.headers('GET', `${coordinatorUrl}/x`)).toEqual({ authorization: 'Bearer site_old' });
    expect(await site.handshake()).toEqual({ credential: 'site_old' });
    expect(site.cure('credential')).toBe(false);
    await expect(identity().handshake()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says what is wrong: nobody there, somebody else there, refused', async () => {
    const nobody = new SignedIdentity({ coordinatorUrl: 'http://127.0.0.1:2', key });
    const unreachable = { code: 'COORDINATOR_UNREACHABLE', retryable: true };
    await expect(nobody.headers('GET', 'http://127.0.0.1:2/x')).rejects.toMatchObject(unreachable);
    answer = (_request, response) => response.end('<html>');
    await expect(identity().handshake()).rejects.toMatchObject(unreachable);
    const refusal = { code: 'CREDENTIAL_REFUSED', message: 'this site was revoked', retryable: false, details: {} };
    answer = (_request, response) => response.writeHead(401).end(JSON.stringify(refusal));
    await expect(identity().handshake()).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED', message: 'this site was revoked' });
  });

  it('repeats a request once for each thing that it lacked', async () => {
    const site = identity();
    const lacks = ['use_dpop_nonce', 'invalid_token', 'use_dpop_nonce'];
    const sent: string[] = [];
    const asking = sendAs(site, { method: 'GET', url: `${coordinatorUrl}/x` }, async (headers) => {
      sent.push(headers['authorization'] ?? '');
      const challenge = `DPoP error="${lacks[sent.length - 1]}"`;
      return { status: 401, headers: { 'www-authenticate': challenge, 'dpop-nonce': `nonce-${sent.length}` } };
    });
    await expect(asking).rejects.toMatchObject({ code: 'PROOF_STALE', retryable: true });
    expect(sent).toEqual(['DPoP credential-1', 'DPoP credential-1', 'DPoP credential-2']);
    // Sent twice on the way: once more with a proof of its own, and then it is as it is said.
    const proofs: string[] = [];
    const answered = await sendAs(site, { method: 'HEAD', url: `${coordinatorUrl}/x` }, async ({ dpop = '' }) => {
      proofs.push(dpop);
      return { status: 401, headers: { 'www-authenticate': 'DPoP error="invalid_dpop_proof"' } };
    });
    expect([answered.status, new Set(proofs).size]).toEqual([401, 2]);
  });

  it('keeps its credential good while nothing is asked, and tries again when the coordinator is away', async () => {
    const site = identity({ elapsedMs: () => performance.now() });
    answer = grant(500);
    const end = site.keep();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(credentials).toBeGreaterThanOrEqual(3);
    answer = (_request, response) => response.destroy();
    await new Promise((resolve) => setTimeout(resolve, 700));
    const before = credentials;
    answer = grant(500);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(credentials).toBeGreaterThan(before);
    end();
    const after = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(asked.length - after).toBeLessThanOrEqual(1); // one may have been on its way
  });
});
