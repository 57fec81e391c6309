/**
 * What signing costs a request: microseconds to make a proof at the site, and to check it with its credential at the coordinator.
 * Prints one JSON line. usage: node test/benchmarks/measure-proofs.mjs [COUNT]. Build first.
 */
import { checkProof, newSigningKey, readCredential, signCredential, signProof } from '../../shared/dist/identity/index.js';
import { median, round } from './statistics.mjs';

const count = Number(process.argv[2] ?? 2000);
const [coordinator, site] = [newSigningKey(), newSigningKey()];
const claims = { siteId: 'site_0123456789abcdef0123', thumbprint: site.thumbprint, expiresAtMs: Date.now() + 3_600_000 };
const credential = await signCredential(coordinator, claims);
const url = 'https://coordinator.example/api/site/uploads/upload_0123456789abcdef0123';
const order = { method: 'PATCH', url, secret: credential, nonce: 'aaaaaaaaaaaaaaaaaaaaaaaa' };
const asked = { method: 'PATCH', path: new URL(url).pathname, secret: credential };

async function microseconds(work) {
  const took = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    await work();
    took.push(1000 * (performance.now() - startedAt));
  }
  return round(median(took.slice(count / 10)));
}

const proof = await signProof(site, order);
const result = {
  what: 'proofs',
  signMicroseconds: await microseconds(() => signProof(site, order)),
  checkProofMicroseconds: await microseconds(() => checkProof(proof, asked)),
  readCredentialMicroseconds: await microseconds(() => readCredential(coordinator, credential, Date.now())),
  headerBytes: `DPoP ${credential}`.length + proof.length,
  node: process.versions.node,
};
console.log(JSON.stringify(result));
