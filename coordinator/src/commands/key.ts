import { FederationError } from '@consilium/shared/kernel';
import { readKeyFile } from '@consilium/shared/identity';
import { Command } from 'commander';
import { loadCoordinatorConfig } from '../config/coordinator-config.js';
import { homeFolder } from '../home/home-folder.js';
import { printJson } from './command-options.js';

/** `coordinator key`: what others need to know to check what this coordinator signs. */
export function keyCommand(): Command {
  return new Command('key').description('the key that passports of models are signed with').addCommand(showCommand());
}

function showCommand(): Command {
  return new Command('show')
    .description('print the name of this coordinator’s key, and its public half: for whoever checks a passport elsewhere')
    .option('--home <folder>', "the coordinator's folder")
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator key show --home /srv/consilium')
    .action(({ home, json }: { home?: string; json?: boolean }) => {
      const { keyFile } = homeFolder(loadCoordinatorConfig({ flags: { home } }).config.home);
      const key = readKeyFile(keyFile);
      if (key === undefined) {
        throw new FederationError('NOT_FOUND', `there is no key at ${keyFile}`, {
          remedy: 'Name the folder with --home; the coordinator makes its key when it starts for the first time.',
        });
      }
      const { thumbprint, publicKey } = key;
      if (json === true) printJson({ name: thumbprint, publicKey });
      else console.log(`name    ${thumbprint}\npublic  ${JSON.stringify(publicKey)}`);
    });
}
