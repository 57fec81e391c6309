import { FederationError, formatBytes, shortDigest } from '@consilium/shared/kernel';
import { learningOf, NOT_LEARNED, versionViewSchema } from '@consilium/shared/wire';
import { formatTable } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface PullFlags extends Flags {
  readonly version?: string;
  readonly output: string;
}

export function modelCommand(): Command {
  const command = new Command('model').description("list and fetch a campaign's model versions");
  command.addCommand(listCommand());
  command.addCommand(pullCommand());
  return command;
}

function listCommand(): Command {
  return withAccess(new Command('list'))
    .description('list the versions of a campaign with the mean skill over the sites that scored them')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model list chest-pretraining')
    .action(async (campaign: string, flags: Flags) => {
      const versions = await operatorLink(flags).get(versionsPath(campaign), z.array(versionViewSchema));
      if (flags.json === true) {
        printJson(versions);
        return;
      }
      const rows = versions.map(({ number, digest, bytes, scores }) => {
        const mean = scores.reduce((sum, { score }) => sum + score.skill, 0) / scores.length;
        const learned = scores.every(({ score }) => learningOf(score) === 'no') ? ` (${NOT_LEARNED})` : '';
        return [
          String(number),
          shortDigest(digest),
          formatBytes(bytes),
          scores.length === 0 ? '–' : `${mean.toFixed(3)}${learned}`,
          String(scores.length),
        ];
      });
      console.log(formatTable(['version', 'digest', 'size', 'mean skill', 'sites'], rows));
    });
}

function pullCommand(): Command {
  return withAccess(new Command('pull'))
    .description('fetch a version as a safetensors file')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .requiredOption('--output <file>', 'file to write')
    .addHelpText('after', '\nExample:\n  coordinator model pull chest-pretraining --output model.safetensors')
    .action(async (campaign: string, flags: PullFlags) => {
      const link = operatorLink(flags);
      const versions = await link.get(versionsPath(campaign), z.array(versionViewSchema));
      const wanted =
        flags.version === undefined ? versions.at(-1) : versions.find(({ number }) => String(number) === flags.version);
      if (wanted === undefined) {
        throw new FederationError('NOT_FOUND', `the campaign ${campaign} has no version ${flags.version ?? ''}`, {
          remedy: `List them with "coordinator model list ${campaign}".`,
        });
      }
      await link.download(`${versionsPath(campaign)}/${wanted.number}/content`, wanted.digest, flags.output);
      console.log(`Version ${wanted.number} (${formatBytes(wanted.bytes)}, ${wanted.digest}) is in ${flags.output}`);
    });
}

function versionsPath(campaign: string): string {
  return `/api/campaigns/${encodeURIComponent(campaign)}/versions`;
}
