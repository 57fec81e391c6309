import { Command } from 'commander';
import { CONFIG_FILE, loadCoordinatorConfig } from '../config/coordinator-config.js';
import { openCoordinator, type RunningCoordinator } from '../main.js';
import { printJson } from './command-options.js';

/** A stop that takes longer is cut short: everything that counts is on disk already. */
const STOP_LIMIT_MS = 10_000;

interface StartFlags {
  readonly home?: string;
  readonly host?: string;
  readonly port?: string;
  readonly logLevel?: string;
  readonly json?: boolean;
}

export function startCommand(): Command {
  return new Command('start')
    .description('start the coordinator and keep it running until Ctrl-C')
    .option('--home <folder>', `folder for database, weights and ${CONFIG_FILE} (default ./coordinator-home)`)
    .option('--host <address>', 'address to listen on (default 127.0.0.1: this machine only)')
    .option('--port <number>', 'port to listen on; 0 picks a free one (default 7340)')
    .option('--log-level <level>', 'silent, error, warn, info or debug (default info)')
    .option('--json', 'print address and folder as JSON')
    .addHelpText('after', '\nExample:\n  coordinator start --home ./federation --port 7340')
    .action(async ({ json, ...flags }: StartFlags) => {
      const { config } = loadCoordinatorConfig({ flags });
      const stopAsked = untilSignal();
      const coordinator = await openCoordinator(config);
      announce(coordinator, json === true);
      await stopAsked;
      await coordinator.stop();
    });
}

function announce({ url, port, home }: RunningCoordinator, asJson: boolean): void {
  if (asJson) {
    printJson({ url, port, home: home.path, pid: process.pid });
    return;
  }
  console.log(
    [
      'Coordinator ready',
      `  address   ${url}`,
      `  folder    ${home.path}`,
      `  sites     enrol one with:  coordinator site enrol NAME --home ${home.path}`,
      '  stop      Ctrl-C; a campaign under way goes on at the next start',
    ].join('\n'),
  );
}

/** Resolves at the first signal, also one that came during the start; a second signal, or a stop that hangs, ends the process. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (): void => {
      if (isStopping) process.exit(0);
      isStopping = true;
      setTimeout(() => process.exit(0), STOP_LIMIT_MS).unref();
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}
