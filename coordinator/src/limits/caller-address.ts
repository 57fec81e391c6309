import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';

/** Whose word on the caller is believed: (address, hop) of proxy-addr. */
export type Trust = (address: string, hop: number) => boolean;

/** Throws TypeError for a name that is neither an address nor a range. */
export function trustIn(proxies: readonly string[]): Trust {
  return proxyAddr.compile([...proxies]);
}

/**
 * Where a request comes from, as its connection or the proxies in front of us have it. Undefined for a trusted address itself: a
 * program beside the coordinator, or a proxy that does not say for whom it asks.
 */
export function callerAddress(request: IncomingMessage, trust: Trust): string | undefined {
  const address = proxyAddr(request, trust);
  return trust(address, 0) ? undefined : address;
}
