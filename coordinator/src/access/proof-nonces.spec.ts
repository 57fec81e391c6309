import { ProofNonces } from './proof-nonces.js';

describe('ProofNonces', () => {
  let elapsedMs: number;
  let nonces: ProofNonces;
  let proofs = 0;
  const publicKey = { kty: 'OKP', crv: 'Ed25519', x: '' } as const;
  const proof = (nonce: string | undefined, thumbprint = 'a', id = `proof-${proofs++}`) => ({ publicKey, thumbprint, id, nonce });

  beforeEach(() => {
    elapsedMs = 5;
    nonces = new ProofNonces(() => elapsedMs);
  });

  it('takes what was made within a minute or two, and tells what to use instead of anything else', () => {
    const first = nonces.current;
    nonces.take(proof(first));
    elapsedMs += 61_000;
    expect(nonces.current).not.toBe(first);
    nonces.take(proof(first));
    elapsedMs += 60_000;
    for (const stale of [first, undefined, 'made up']) {
      const refusal = { code: 'PROOF_STALE', retryable: true, details: { nonce: nonces.current } };
      expect(() => nonces.take(proof(stale))).toThrow(expect.objectContaining(refusal) as Error);
    }
    const before = nonces.current;
    elapsedMs += 10 * 60_000; // nobody came for long: nothing of then is good
    expect(() => nonces.take(proof(before))).toThrow(/no nonce that is in use/);
  });

  it('takes a proof once, also when its nonce is no longer given out; another site may use the same word', () => {
    const { current } = nonces;
    nonces.take(proof(current, 'a', 'same'));
    const refusal = expect.objectContaining({
      code: 'PROOF_REFUSED',
      message: expect.stringContaining('before') as string,
    }) as Error;
    expect(() => nonces.take(proof(current, 'a', 'same'))).toThrow(refusal);
    nonces.take(proof(current, 'b', 'same'));
    elapsedMs += 61_000;
    expect(() => nonces.take(proof(current, 'a', 'same'))).toThrow(refusal);
  });

  it('remembers nothing of what is only looked at, as strangers can make up as much as they like', () => {
    const one = proof(nonces.current);
    nonces.requireFresh(one);
    nonces.take(one);
    expect(() => nonces.requireFresh(proof('made up'))).toThrow(expect.objectContaining({ code: 'PROOF_STALE' }) as Error);
  });

  it('remembers no more than so many proofs of one site', () => {
    const { current } = nonces;
    for (let i = 0; i < 20_000; i++) nonces.take(proof(current));
    expect(() => nonces.take(proof(current))).toThrow(
      expect.objectContaining({ code: 'COORDINATOR_BUSY', retryable: true }) as Error,
    );
    nonces.take(proof(current, 'b'));
    elapsedMs += 61_000;
    nonces.take(proof(nonces.current));
  });
});
