import { Command } from 'commander';
import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { nameField, parseWith } from '@consilium/shared/wire';
import { versionNamed } from '../versions/locate-model.js';
import { withSiteJournal } from './site-journal.js';

interface PinOptions {
  readonly home: string;
  readonly as?: string;
}

/** `site-agent model pin CAMPAIGN@VERSION [--as NAME]`. */
export function pinCommand(): Command {
  return new Command('pin')
    .description('keep a version that is here, under a name that fine-tuning takes')
    .argument('<version>', 'CAMPAIGN@NUMBER, CAMPAIGN for the newest one here, or another pin')
    .option('--as <name>', 'the name of the pin (default: the campaign’s); one that is taken moves to this version')
    .addHelpText('after', '\nExamples:\n  site-agent model pin chest@12 --as good\n  site-agent finetune liver.yaml --from good')
    .action(async (version: string, _options: unknown, command: Command) => pin(version, command.optsWithGlobals<PinOptions>()));
}

async function pin(text: string, { home, as }: PinOptions): Promise<void> {
  await withSiteJournal(home, (journal, folder) => {
    const version = versionNamed(text, journal, folder);
    if (version === undefined) {
      throw new FederationError('NOT_FOUND', `no version ${text} is here`, {
        remedy: `Fetch it first: site-agent model pull ${text}`,
      });
    }
    const name = parseWith(nameField, as ?? version.campaignName, 'ARGUMENT_INVALID', '--as');
    journal.pin(name, version);
    console.log(
      `${name} is ${version.campaignName}@${version.number} (${shortDigest(version.digest)}); it is kept until unpinned.`,
    );
  });
}

/** `site-agent model unpin NAME`. */
export function unpinCommand(): Command {
  return new Command('unpin')
    .description('let a pinned version go; its file stays until newer versions replace it')
    .argument('<name>', 'the name of the pin')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { home } = command.optsWithGlobals<PinOptions>();
      await withSiteJournal(home, (journal) => {
        if (!journal.pins().some((known) => known.name === name)) {
          throw new FederationError('NOT_FOUND', `nothing is pinned as ${name}`, {
            remedy: 'See the pins with "site-agent model list".',
          });
        }
        journal.unpin(name);
        console.log(`${name} is no longer pinned.`);
      });
    });
}
