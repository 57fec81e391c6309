/** What TLS and signed requests take of the upload rate: `bench:transfer` in the clear and with both, turn by turn. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median, round } from '../statistics.mjs';

const PROGRAM = join(import.meta.dirname, '../bench-transfer.mjs');

export async function measureSecureLine({ bytes, repeats }) {
  const run = async (...flags) => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, '--bytes', bytes, '--skip-downloads', ...flags]);
    return JSON.parse(stdout).gigabytesPerSecond;
  };
  const plain = [];
  const secure = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    plain.push(await run('--bearer'));
    secure.push(await run('--tls'));
  }
  return {
    bytes,
    plainGigabytesPerSecond: round(median(plain), 3),
    secureGigabytesPerSecond: round(median(secure), 3),
    shareLost: round(1 - median(secure.map((rate, index) => rate / plain[index])), 3),
    ratios: secure.map((rate, index) => round(rate / plain[index], 3)),
  };
}
