import type { Command } from 'commander';
import { type AccessFlags, loadOperatorAccess } from '../config/operator-access.js';
import { OperatorLink } from './operator-link.js';

/** Adds the options that say which coordinator a command speaks to. */
export function withAccess(command: Command): Command {
  return command
    .option('--home <folder>', "the coordinator's folder (CONSILIUM_COORDINATOR_HOME, default ./coordinator-home)")
    .option('--url <url>', 'address of the coordinator (CONSILIUM_COORDINATOR_URL; default: what runs in the folder)');
}

export function operatorLink(flags: AccessFlags): OperatorLink {
  return new OperatorLink(loadOperatorAccess(flags));
}

/** Prints a value as JSON on one line per top-level call, for scripts. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

export function formatTime(timeMs: number | null): string {
  return timeMs === null ? '–' : new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ');
}
