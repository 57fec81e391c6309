import { FederationError, formatBytes, shortDigest } from '@consilium/shared/kernel';
import { learningOf, NOT_LEARNED, type VersionView, versionViewSchema, verifyPassport } from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import { formatTable } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { operatorLink, printJson, withAccess } from './command-options.js';
import type { OperatorLink } from './operator-link.js';

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
  command.addCommand(passportCommand());
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
      const wanted = await chooseVersion(link, campaign, flags.version);
      await link.download(`${versionsPath(campaign)}/${wanted.number}/content`, wanted.digest, flags.output);
      console.log(`Version ${wanted.number} (${formatBytes(wanted.bytes)}, ${wanted.digest}) is in ${flags.output}`);
    });
}

function passportCommand(): Command {
  return withAccess(new Command('passport'))
    .description('print where a version comes from: every round back to the initial one, by digests, for anybody to check')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .option('--output <file>', 'file to write instead; "site-agent model verify" reads it beside the weights')
    .addHelpText('after', '\nExample:\n  coordinator model passport chest-pretraining --output model.safetensors.passport.json')
    .action(async (campaign: string, { version, output, ...flags }: Flags & { version?: string; output?: string }) => {
      const link = operatorLink(flags);
      const { number } = await chooseVersion(link, campaign, version);
      const passport = verifyPassport(await link.get(`${versionsPath(campaign)}/${number}/passport`, z.unknown()));
      const text = `${JSON.stringify(passport, null, 2)}\n`;
      if (output === undefined) process.stdout.write(text);
      else {
        await writeFileWhole(output, [Buffer.from(text)]);
        console.log(`The passport of version ${number} (seal ${passport.seal}) is in ${output}`);
      }
    });
}

async function chooseVersion(link: OperatorLink, campaign: string, version: string | undefined): Promise<VersionView> {
  const versions = await link.get(versionsPath(campaign), z.array(versionViewSchema));
  const wanted = version === undefined ? versions.at(-1) : versions.find(({ number }) => String(number) === version);
  if (wanted !== undefined) return wanted;
  throw new FederationError('NOT_FOUND', `the campaign ${campaign} has no version ${version ?? ''}`, {
    remedy: `List them with "coordinator model list ${campaign}".`,
  });
}

function versionsPath(campaign: string): string {
  return `/api/campaigns/${encodeURIComponent(campaign)}/versions`;
}
