import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The addresses of a host as this computer knows it; its own for a number. Rejects with the system's error for an unknown name. */
export async function lookUpName(host: string): Promise<string[]> {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return [bare];
  return [...new Set((await lookup(bare, { all: true })).map(({ address }) => address))];
}
