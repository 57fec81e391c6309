import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { FederationError } from '@consilium/shared/kernel';

/** scrypt (RFC 7914) with 32 MiB of memory: about a tenth of a second for us, and as dear for whoever tries a list of passwords. */
const COST = { N: 2 ** 15, r: 8, p: 1 } as const;
const MEMORY_LIMIT_BYTES = 64 * 2 ** 20;
const DIGEST_BYTES = 32;
const FORMAT = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

/** Digests computed at a time and waiting: strangers may ask for them, and each takes memory. */
const AT_ONCE = 2;
const WAITING = 16;

let running = 0;
const waiting: (() => void)[] = [];

/** "scrypt$N$r$p$salt$digest": parameters stand with each digest, so that they may be raised later. */
export async function digestPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const digest = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), digest.toString('base64url')].join('$');
}

/** Takes as long for a wrong password as for the right one. Throws COORDINATOR_BUSY when too many ask at once. */
export async function isPassword(password: string, digest: string): Promise<boolean> {
  const [, N, r, p, salt = '', expected = ''] = FORMAT.exec(digest) ?? [];
  const known = Buffer.from(expected, 'base64url');
  const given = await derive(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
  return known.length === given.length && timingSafeEqual(known, given);
}

async function derive(password: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  await takeTurn();
  try {
    return await new Promise((resolve, reject) => {
      // The same word from another keyboard may be composed otherwise.
      const text = password.normalize('NFKC');
      scrypt(text, salt, DIGEST_BYTES, { ...cost, maxmem: MEMORY_LIMIT_BYTES }, (error, key) =>
        error === null ? resolve(key) : reject(error),
      );
    });
  } finally {
    handOn();
  }
}

async function takeTurn(): Promise<void> {
  if (running >= AT_ONCE) {
    if (waiting.length >= WAITING) {
      throw new FederationError('COORDINATOR_BUSY', 'too many sign-ins at once', { remedy: 'Try again in a moment.' });
    }
    return new Promise((resolve) => waiting.push(resolve));
  }
  running += 1;
}

/** The turn goes to the next in line, or ends. */
function handOn(): void {
  const next = waiting.shift();
  if (next === undefined) running -= 1;
  else next();
}
