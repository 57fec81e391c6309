import { durationField } from '@consilium/shared/wire';
import { parseDurationMs } from '@consilium/shared/kernel';
import proxyAddr from 'proxy-addr';
import { z } from 'zod';

const perSecond = z.coerce.number().int().min(1).max(100_000);
const atOnce = z.coerce.number().int().min(1).max(100_000);

/** An address, a range such as 10.0.0.0/8, or loopback, linklocal, uniquelocal; several with commas. */
const proxyList = z.union([z.string(), z.array(z.string())]).transform(listOf);

function listOf(value: string | readonly string[]): string[] {
  const names = typeof value === 'string' ? value.split(',') : value;
  return names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'none');
}

function isProxyList(names: string[]): boolean {
  try {
    proxyAddr.compile(names);
    return true;
  } catch {
    return false;
  }
}

/** What strangers and sites may ask of the coordinator, and how fast; a part of its settings. */
export const limitSettingFields = {
  requestsPerAddress: perSecond
    .default(200)
    .describe('requests that one address may make a second; for a few seconds ten times as many'),
  connectionsPerAddress: atOnce.default(200).describe('connections that one address may hold'),
  connectionsAtOnce: atOnce.default(4096).describe('connections in all; further ones are closed at once'),
  requestsPerSite: perSecond
    .default(50)
    .describe('requests that one site may make a second; for a few seconds ten times as many'),
  requestsAtOncePerSite: atOnce.default(16).describe('requests of one site that are answered at a time'),
  messagesPerSite: perSecond
    .default(100)
    .describe('messages that one site may send a second; for a few seconds ten times as many'),
  requestTimeout: durationField
    .default('30s')
    .describe('when a caller is cut whose request, if it is no update, has not arrived, or who has not said who it is'),
  trustedProxies: proxyList
    .default(['loopback'])
    .refine(isProxyList, 'it must name addresses, ranges such as 10.0.0.0/8, "loopback" or "none"')
    .describe('proxies in front of it, whose word on the caller’s address is believed; "none" for no one’s'),
};

type LimitSettingValues = z.infer<z.ZodObject<typeof limitSettingFields>>;

export interface LimitSettings {
  readonly requestsPerAddress: number;
  readonly connectionsPerAddress: number;
  readonly connectionsAtOnce: number;
  readonly requestsPerSite: number;
  readonly requestsAtOncePerSite: number;
  readonly messagesPerSite: number;
  readonly requestTimeoutMs: number;
  readonly trustedProxies: readonly string[];
}

export function compileLimitSettings({ requestTimeout, ...values }: LimitSettingValues): LimitSettings {
  return { ...values, requestTimeoutMs: parseDurationMs(requestTimeout) };
}
