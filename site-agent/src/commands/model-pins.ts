import { resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { nameField, parseWith } from '@consilium/shared/wire';
import { SCRATCH } from '../finetuning/tasks/finetune-case.js';
import { modelFileAt, readModelFile } from '../finetuning/answers/model-file.js';
import { namedModel, versionNamed } from '../versions/locate-model.js';
import { MODEL_NAMES } from './find-model.js';
import { withSiteJournal } from './site-journal.js';

interface PinOptions {
  readonly home: string;
  readonly as?: string;
}

/** `site-agent model pin MODEL [--as NAME]`. */
export function pinCommand(): Command {
  return new Command('pin')
    .description('keep a version that is here, or name a model of your own; every command takes the name for the model')
    .argument('<model>', MODEL_NAMES)
    .option('--as <name>', 'the name of the pin (default: the campaign’s); one that is taken moves to this model')
    .addHelpText(
      'after',
      `
A version that is pinned is kept until it is unpinned. A model of your own stays where it is and must stay as it is.

Examples:
  site-agent model pin chest@12 --as good
  site-agent model pin finetuned/liver --as liver
  site-agent finetune liver.yaml --from good
  site-agent predict --model liver --output masks scans/`,
    )
    .action(async (model: string, _options: unknown, command: Command) => pin(model, command.optsWithGlobals<PinOptions>()));
}

async function pin(text: string, options: PinOptions): Promise<void> {
  const path = await modelFileAt(resolve(text));
  if (path !== undefined) return pinFile(path, options);
  const { home, as } = options;
  await withSiteJournal(home, async (journal, folder) => {
    const version = versionNamed(text, journal, folder);
    if (version === undefined) {
      const own = await namedModel(text, journal, folder);
      if (own !== undefined) return pinFile(own, options);
      throw new FederationError('NOT_FOUND', `${text} is neither a model of your own nor a version that is here`, {
        remedy: `Fetch a version first: site-agent model pull ${text}`,
      });
    }
    const name = requirePinName(as ?? version.campaignName);
    journal.pin(name, version);
    console.log(
      `${name} is ${version.campaignName}@${version.number} (${shortDigest(version.digest)}); it is kept until unpinned.`,
    );
  });
}

/** The model must read: a name for something else would only fail later. */
async function pinFile(location: string, { home, as }: PinOptions): Promise<void> {
  if (as === undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'a model of your own needs a name', { remedy: 'Give one: --as NAME' });
  }
  const name = requirePinName(as);
  const { path, digest } = await readModelFile(location);
  await withSiteJournal(home, (journal) => {
    journal.pinFile({ name, path, digest });
    console.log(`${name} is ${path} (${shortDigest(digest)}); the file must stay there as it is.`);
  });
}

function requirePinName(text: string): string {
  const name = parseWith(nameField, text, 'ARGUMENT_INVALID', '--as');
  if (name !== SCRATCH) return name;
  throw new FederationError('ARGUMENT_INVALID', `--as ${name}: that word is a start without a model`);
}

/** `site-agent model unpin NAME`. */
export function unpinCommand(): Command {
  return new Command('unpin')
    .description('give up a name; the file of a version stays until newer versions replace it, your own model stays for good')
    .argument('<name>', 'the name of the pin')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { home } = command.optsWithGlobals<PinOptions>();
      await withSiteJournal(home, (journal) => {
        if (![...journal.pins(), ...journal.pinnedFiles()].some((known) => known.name === name)) {
          throw new FederationError('NOT_FOUND', `nothing is pinned as ${name}`, {
            remedy: 'See the pins with "site-agent model list".',
          });
        }
        journal.unpin(name);
        console.log(`${name} is no longer pinned.`);
      });
    });
}
