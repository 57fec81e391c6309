import { existsSync, readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';
import { homeFolder } from '../home/home-folder.js';
import { loadCoordinatorConfig } from './coordinator-config.js';

/** Where the operator's commands reach the coordinator, and with which token. */
export interface OperatorAccess {
  readonly url: string;
  readonly token: string;
}

export const runningCoordinatorSchema = z.object({ url: z.string(), pid: z.int(), port: z.int(), startedAtMs: z.number() });

/**
 * Address: --url, else CONSILIUM_COORDINATOR_URL, else what a running coordinator wrote into the home folder.
 * Token: CONSILIUM_OPERATOR_TOKEN, else the home folder's operator.token.
 */
export function loadOperatorAccess(flags: { home?: string | undefined; url?: string | undefined }): OperatorAccess {
  const environment = process.env;
  const home = homeFolder(loadCoordinatorConfig({ flags: { home: flags.home } }).config.home);
  const url = flags.url ?? environment['CONSILIUM_COORDINATOR_URL'] ?? runningUrl(home.stateFile);
  if (url === undefined) {
    throw new FederationError('COORDINATOR_UNREACHABLE', `no coordinator is running in ${home.path}`, {
      remedy: `Start one with "coordinator start --home ${home.path}", or name another with --home or --url.`,
    });
  }
  const token = environment['CONSILIUM_OPERATOR_TOKEN'] ?? readText(home.operatorTokenFile);
  if (token === undefined) {
    throw new FederationError('OPERATOR_REFUSED', `there is no operator token in ${home.path}`, {
      remedy: "Name the coordinator's folder with --home, or set CONSILIUM_OPERATOR_TOKEN.",
    });
  }
  return { url: url.replace(/\/+$/, ''), token };
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
