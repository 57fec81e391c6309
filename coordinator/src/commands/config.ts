import { formatTable } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { environmentName, loadCoordinatorConfig } from '../config/coordinator-config.js';
import { printJson } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly json?: boolean;
}

export function configCommand(): Command {
  const explain = new Command('explain')
    .description('print every setting with its value and where it comes from')
    .option('--home <folder>', "the coordinator's folder")
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator config explain --home ./federation')
    .action(({ home, json }: Flags) => {
      const { explained } = loadCoordinatorConfig({ flags: { home } });
      if (json === true) {
        printJson(explained);
        return;
      }
      const rows = explained.map(({ name, value, origin }) => [name, value === '' ? '–' : value, origin, environmentName(name)]);
      console.log(formatTable(['setting', 'value', 'from', 'environment'], rows));
    });
  return new Command('config').description('look at the configuration').addCommand(explain);
}
