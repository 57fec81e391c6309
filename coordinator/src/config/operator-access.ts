import { existsSync, readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { type HomeFolder, homeFolder } from '../home/home-folder.js';
import { loadCoordinatorConfig } from './coordinator-config.js';
import { sessionAt } from './operator-sessions.js';

/** Where the operator's commands reach the coordinator, and with which token. */
export interface OperatorAccess {
  readonly url: string;
  readonly token: string;
}

export interface AccessFlags {
  readonly home?: string | undefined;
  readonly url?: string | undefined;
}

export const runningCoordinatorSchema = z.object({ url: z.string(), pid: z.int(), port: z.int(), startedAtMs: z.number() });

/**
 * Address: --url, else CONSILIUM_COORDINATOR_URL, else what a running coordinator wrote into the home folder.
 * Token: CONSILIUM_OPERATOR_TOKEN, else that of "coordinator sign-in" at this address, else the home folder's operator.token.
 */
export function loadOperatorAccess(flags: AccessFlags): OperatorAccess {
  const { url, home } = whereabouts(flags);
  const token = process.env['CONSILIUM_OPERATOR_TOKEN'] ?? sessionAt(url)?.token ?? readText(home.operatorTokenFile);
  if (token !== undefined) return { url, token };
  throw new FederationError('OPERATOR_REFUSED', `you are not signed in at ${url}`, {
    remedy: `Sign in with "coordinator sign-in --url ${url} NAME", or name the coordinator's own folder with --home.`,
  });
}

/** The address alone, for a sign-in. Throws COORDINATOR_UNREACHABLE when nothing names one. */
export function coordinatorUrl(flags: AccessFlags): string {
  return whereabouts(flags).url;
}

function whereabouts(flags: AccessFlags): { readonly url: string; readonly home: HomeFolder } {
  const home = homeFolder(loadCoordinatorConfig({ flags: { home: flags.home } }).config.home);
  const url = flags.url ?? process.env['CONSILIUM_COORDINATOR_URL'] ?? runningUrl(home.stateFile);
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), home };
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
