import { Agent, fetch, type RequestInit, type Response } from 'undici';

export type TrustingFetch = (url: string | URL, request?: RequestInit) => Promise<Response>;

/**
 * `fetch` that trusts these authorities; those that Node trusts by itself when left out. Node's own fetch can only be told before the
 * process starts.
 */
export function trustingFetch(authorities: readonly string[] | undefined): TrustingFetch {
  if (authorities === undefined) return fetch;
  const dispatcher = new Agent({ connect: { ca: [...authorities] } });
  return (url, request) => fetch(url, { ...request, dispatcher });
}
