/** As whom the benchmark's sites ask: with a key of their own, as the product's do, or with a bearer credential. */
import { signingKeyOf } from '../../shared/dist/identity/index.js';
import { BearerIdentity } from '../../site-agent/dist/link/request-identity.js';
import { SignedIdentity } from '../../site-agent/dist/link/signed-identity.js';

const known = new Map();

/** One for each site in each process, as in an agent: it keeps its credential. */
export function benchIdentity(coordinatorUrl, { pem, credential }) {
  const name = `${coordinatorUrl} ${pem ?? credential}`;
  if (!known.has(name)) {
    const signed = () => new SignedIdentity({ coordinatorUrl, key: signingKeyOf(pem) });
    known.set(name, pem === undefined ? new BearerIdentity(credential) : signed());
  }
  return known.get(name);
}
