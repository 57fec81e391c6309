import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { authoritiesWith } from '@consilium/shared/identity';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { type HomeFolder, homeFolder } from '../home/home-folder.js';
import { loadCoordinatorConfig } from './coordinator-config.js';
import { sessionAt } from './operator-sessions.js';

/** Where the operator's commands reach the coordinator, and with which token. */
export interface OperatorAccess {
  readonly url: string;
  readonly token: string;
  /** Certificates of the authorities that are trusted; undefined for those that Node trusts by itself. */
  readonly authorities?: readonly string[] | undefined;
}

export interface AccessFlags {
  readonly home?: string | undefined;
  readonly url?: string | undefined;
  /** PEM file, relative to where the command runs. */
  readonly authority?: string | undefined;
}

export const runningCoordinatorSchema = z.object({ url: z.string(), pid: z.int(), port: z.int(), startedAtMs: z.number() });

/**
 * Address: --url, else CONSILIUM_COORDINATOR_URL, else what a running coordinator wrote into the home folder.
 * Token: CONSILIUM_OPERATOR_TOKEN, else that of "coordinator sign-in" at this address, else the home folder's operator.token.
 */
export function loadOperatorAccess(flags: AccessFlags): OperatorAccess {
  const { url, home, authority } = whereabouts(flags);
  const session = sessionAt(url);
  const token = process.env['CONSILIUM_OPERATOR_TOKEN'] ?? session?.token ?? readText(home.operatorTokenFile);
  if (token !== undefined) return { url, token, authorities: trustedWith(authority ?? session?.authority) };
  throw new FederationError('OPERATOR_REFUSED', `you are not signed in at ${url}`, {
    remedy: `Sign in with "coordinator sign-in --url ${url} NAME", or name the coordinator's own folder with --home.`,
  });
}

/** Address and authority alone, for a sign-in. Throws COORDINATOR_UNREACHABLE when nothing names an address. */
export function coordinatorAddress(flags: AccessFlags): { readonly url: string; readonly authority: string | undefined } {
  const { url, authority } = whereabouts(flags);
  return { url, authority };
}

/** What is trusted besides Node's own list; undefined for that alone. */
export function trustedWith(authority: string | undefined): readonly string[] | undefined {
  return authority === undefined ? undefined : authoritiesWith(authority, process.env['NODE_EXTRA_CA_CERTS']);
}

function whereabouts(flags: AccessFlags): {
  readonly url: string;
  readonly home: HomeFolder;
  readonly authority: string | undefined;
} {
  const { config } = loadCoordinatorConfig({
    flags: { home: flags.home, authority: flags.authority && resolve(flags.authority) },
  });
  const { authority } = config;
  const home = homeFolder(config.home);
  const url = flags.url ?? process.env['CONSILIUM_COORDINATOR_URL'] ?? runningUrl(home.stateFile);
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), home, authority };
  throw new FederationError('COORDINATOR_UNREACHABLE', `no coordinator is running in ${home.path}`, {
    remedy: `Start one with "coordinator start --home ${home.path}", or name another with --home or --url.`,
  });
}

function runningUrl(stateFile: string): string | undefined {
  const text = readText(stateFile);
  if (text === undefined) return undefined;
  try {
    return runningCoordinatorSchema.parse(JSON.parse(text)).url;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}
