import { type Check, checkNodejsVersion, describeChecks, exitCodeOfChecks } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { loadCoordinatorConfig } from '../config/coordinator-config.js';
import { homeFolder } from '../home/home-folder.js';
import { printJson } from './command-options.js';
import { checkDisk, checkHome, checkLine, checkRecords, checkRunning, checkWeights } from './doctor-checks.js';

/** `coordinator doctor`: whether this machine and these settings carry a coordinator. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'look at folder, disk, records, weight files, certificate and the running coordinator, and say how to mend what is wrong',
    )
    .option('--home <folder>', "the coordinator's folder")
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator doctor --home /srv/consilium')
    .action(async ({ home, json }: { home?: string; json?: boolean }) => {
      const checks = await diagnose(home);
      const exitCode = exitCodeOfChecks(checks);
      if (json === true) printJson({ healthy: exitCode === 0, checks });
      else {
        console.log(describeChecks(checks));
        console.log(exitCode === 0 ? 'This machine can run a coordinator.' : 'This machine cannot run a coordinator yet.');
      }
      process.exitCode = exitCode;
    });
}

/** All checks, in the order in which one mends. Throws CONFIG_INVALID when the settings cannot be read at all. */
export async function diagnose(home: string | undefined): Promise<Check[]> {
  const { config } = loadCoordinatorConfig({ flags: { home } });
  const folder = homeFolder(config.home);
  return [
    checkNodejsVersion(process.versions.node),
    checkHome(folder),
    checkDisk(folder),
    await checkRecords(config, folder),
    await checkWeights(config, folder),
    checkLine(config, Date.now()),
    await checkRunning(config, folder),
  ];
}
