import { rm } from 'node:fs/promises';
import { FederationError, formatBytes, shortDigest } from '@consilium/shared/kernel';
import { exportCheckpoint, MODEL_METADATA_KEYS, modelSpecSchema } from '@consilium/shared/models';
import { checkSignature, describeSigner, readKeyFile } from '@consilium/shared/identity';
import { readSafetensors, writeFileWhole } from '@consilium/shared/weights';
import {
  type CampaignPrivacyView,
  campaignViewSchema,
  federatedOrigin,
  learningOf,
  type ModelPassport,
  NOT_LEARNED,
  type VersionView,
  versionViewSchema,
  verifyModelFile,
  verifyPassport,
} from '@consilium/shared/wire';
import { formatTable } from '@consilium/shared/terminal';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { loadCoordinatorConfig } from '../config/coordinator-config.js';
import { homeFolder } from '../home/home-folder.js';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';
import { formatEpsilon } from './follow-campaign.js';
import type { OperatorLink } from './operator-link.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface ExportFlags extends Flags {
  readonly version?: string;
  readonly output: string;
  readonly published?: boolean;
  readonly dtype: 'F32' | 'F16' | 'BF16';
}

interface PullFlags extends Flags {
  readonly version?: string;
  readonly output: string;
}

interface VerifyFlags extends Flags {
  readonly key?: readonly string[];
  readonly signed?: boolean;
}

export function modelCommand(): Command {
  const command = new Command('model').description("list and fetch a campaign's model versions");
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(pullCommand());
  command.addCommand(exportCommand());
  command.addCommand(passportCommand());
  command.addCommand(verifyCommand());
  command.addCommand(pinCommand());
  command.addCommand(unpinCommand());
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
      const rows = versions.map(({ number, digest, bytes, scores, ...kept }) => {
        const mean = scores.reduce((sum, { score }) => sum + score.skill, 0) / scores.length;
        const learned = scores.every(({ score }) => learningOf(score) === 'no') ? ` (${NOT_LEARNED})` : '';
        return [
          String(number),
          shortDigest(digest),
          formatBytes(bytes),
          scores.length === 0 ? '–' : `${mean.toFixed(3)}${learned}`,
          String(scores.length),
          whatIsKept(kept),
        ];
      });
      console.log(formatTable(['version', 'digest', 'size', 'mean skill', 'sites', 'kept'], rows));
    });
}

function showCommand(): Command {
  return withAccess(new Command('show'))
    .description('show a version: what it is, what it was made of, and what the sites say of it')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .option('--json', 'print as JSON, with the passport')
    .addHelpText('after', '\nExample:\n  coordinator model show chest-pretraining --version 12')
    .action(async (campaign: string, flags: Flags & { version?: string }) => {
      const link = operatorLink(flags);
      const version = await chooseVersion(link, campaign, flags.version);
      const passport = await passportOf(link, campaign, version.number);
      const privacy = privacyOf(passport);
      const spent = privacy && (await link.get(campaignPath(campaign), campaignViewSchema)).privacy;
      if (flags.json === true) printJson({ ...version, passport, ...(spent === undefined ? {} : { privacy: spent }) });
      else for (const line of [...describeVersion(version, passport), ...describePrivacy(privacy, spent)]) console.log(line);
    });
}

function pullCommand(): Command {
  return withAccess(new Command('pull'))
    .description('fetch a version as a safetensors file')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .requiredOption('--output <file>', 'file to write')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model pull chest-pretraining --output model.safetensors')
    .action(async (campaign: string, flags: PullFlags) => {
      const link = operatorLink(flags);
      const wanted = await chooseVersion(link, campaign, flags.version);
      await link.download(`${versionsPath(campaign)}/${wanted.number}/content`, wanted.digest, flags.output);
      const { number, digest, bytes } = wanted;
      if (flags.json === true) printJson({ number, digest, bytes, path: flags.output });
      else console.log(`Version ${number} (${formatBytes(bytes)}, ${digest}) is in ${flags.output}`);
    });
}

function exportCommand(): Command {
  return withAccess(new Command('export'))
    .description('write a version as a PyTorch checkpoint, under the names of the published network')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .requiredOption('--output <file>', 'file to write, ending in .pt or .pth')
    .option('--published', 'as the published modules’ own code loads it (module. names, epoch, buffers)')
    .addOption(new Option('--dtype <dtype>', 'number format of the weights').choices(['F32', 'F16', 'BF16']).default('F32'))
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model export chest-pretraining --output chest.pt')
    .action(async (campaign: string, { published = false, dtype, output, ...flags }: ExportFlags) => {
      if (!/\.pth?$/.test(output)) {
        throw new FederationError('ARGUMENT_INVALID', `--output ${output} does not end in .pt or .pth`, {
          remedy: 'Name a PyTorch file; for safetensors use "coordinator model pull".',
        });
      }
      const link = operatorLink(flags);
      const { number, digest: source } = await chooseVersion(link, campaign, flags.version);
      const weightsFile = `${output}.${process.pid}.safetensors`;
      try {
        await link.download(`${versionsPath(campaign)}/${number}/content`, source, weightsFile);
        const { weights, metadata } = await readSafetensors(weightsFile);
        const spec = modelSpecSchema.parse(JSON.parse(metadata[MODEL_METADATA_KEYS.modelSpec] ?? 'null'));
        const { digest, bytes } = await exportCheckpoint(output, { spec, weights }, { dtype, published });
        if (flags.json === true) printJson({ number, source, path: output, digest, bytes });
        else
          console.log(
            `Version ${number} is in ${output} (${formatBytes(bytes)}): torch.load(FILE, weights_only=True)["state_dict"]`,
          );
      } finally {
        await rm(weightsFile, { force: true });
      }
    });
}

function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'check, without a coordinator, that a file is the model that its passport speaks of, the passport’s history, and who signed it',
    )
    .argument('<file>', 'weights with their passport beside them (FILE.passport.json)')
    .option('--home <folder>', "the coordinator's folder, whose key must have signed it")
    .option('--key <names...>', 'names of keys that may have signed it, in place of the folder’s')
    .option('--signed', 'refuse a version that no coordinator has signed, as earlier ones signed none')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model verify chest.safetensors')
    .action(async (file: string, { json, home, key, signed }: VerifyFlags) => {
      const { passport, digest } = await verifyModelFile(file);
      const version = federatedOrigin(passport);
      const trusted = key ?? ownKeyNames(home);
      const required = signed === true || key !== undefined;
      const signer = await checkSignature(version ?? passport, { trusted, required });
      if (json === true) {
        printJson({ path: file, digest, signer: signer ?? null, passport });
        return;
      }
      const history = version === undefined ? '' : `, ${version.lineage.length} versions back to the first`;
      console.log(`The file and its passport agree${history}.\ndigest  ${digest}\nseal    ${passport.seal}`);
      console.log(`signed  by ${describeSigner(signer, { trusted })}`);
    });
}

/** Of the folder, where it holds a key: whoever checks elsewhere has none. */
function ownKeyNames(home: string | undefined): string[] {
  const key = readKeyFile(homeFolder(loadCoordinatorConfig({ flags: { home } }).config.home).keyFile);
  return key === undefined ? [] : [key.thumbprint];
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
      const passport = await passportOf(link, campaign, number);
      const text = `${JSON.stringify(passport, null, 2)}\n`;
      if (output === undefined) process.stdout.write(text);
      else {
        await writeFileWhole(output, [Buffer.from(text)]);
        console.log(`The passport of version ${number} (seal ${passport.seal}) is in ${output}`);
      }
    });
}

function pinCommand(): Command {
  return withAccess(new Command('pin'))
    .description('keep a version for good under a name, whatever the rules of retention say')
    .argument('<campaign>', 'name or id of the campaign')
    .option('--version <number>', 'number of the version (default: the newest)')
    .requiredOption('--as <name>', 'the name, for example of a release')
    .option('--json', 'print the version as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model pin chest-pretraining --version 12 --as release-1')
    .action(async (campaign: string, { version, as, json, ...flags }: Flags & { version?: string; as: string }) => {
      const link = operatorLink(flags);
      const { number } = await chooseVersion(link, campaign, version);
      const view = await link.post(`${versionsPath(campaign)}/${number}/pin`, versionViewSchema, { name: as });
      if (json === true) printJson(view);
      else console.log(`Version ${number} is kept as ${as}.`);
    });
}

function unpinCommand(): Command {
  return withAccess(new Command('unpin'))
    .description('leave a version to the rules of retention again')
    .argument('<campaign>', 'name or id of the campaign')
    .requiredOption('--version <number>', 'number of the version')
    .option('--json', 'print the version as JSON')
    .addHelpText('after', '\nExample:\n  coordinator model unpin chest-pretraining --version 12')
    .action(async (campaign: string, { version, json, ...flags }: Flags & { version: string }) => {
      const link = operatorLink(flags);
      const { number } = await chooseVersion(link, campaign, version);
      const view = await link.post(`${versionsPath(campaign)}/${number}/unpin`, versionViewSchema);
      if (json === true) printJson(view);
      else console.log(`Version ${number} is kept as long as the rules of retention say.`);
    });
}

/** In a cell: the name under which it is kept for good, or that its bytes are gone. */
function whatIsKept({ pin, droppedAtMs }: Pick<VersionView, 'pin' | 'droppedAtMs'>): string {
  if (droppedAtMs !== undefined) return 'dropped';
  return pin === undefined ? '' : `as ${pin}`;
}

async function passportOf(link: OperatorLink, campaign: string, number: number): Promise<ModelPassport> {
  return verifyPassport(await link.get(`${versionsPath(campaign)}/${number}/passport`, z.unknown()));
}

function describeVersion({ number, digest, bytes, scores, ...kept }: VersionView, passport: ModelPassport): string[] {
  const link = passport.kind === 'federated' ? passport.lineage.at(-1) : undefined;
  const round = link?.round ?? null;
  const made = round === null ? 'the seeded start' : `${round.updates.length} updates, ${round.patches} patches`;
  return [
    `version  ${number} (${formatBytes(bytes)})`,
    `digest   ${digest}`,
    `parent   ${link?.parent ?? 'none'}`,
    `made of  ${made}`,
    ...(kept.pin === undefined ? [] : [`kept     as ${kept.pin}`]),
    ...(kept.droppedAtMs === undefined
      ? []
      : [`kept     no bytes since ${formatTime(kept.droppedAtMs)} (UTC); what it is stays on record`]),
    ...scores.map(({ siteName, score }) => `skill    ${score.skill.toFixed(3)} at ${siteName}, on ${score.patches} patches`),
    ...(scores.length === 0 ? ['skill    no site has scored it'] : []),
  ];
}

type VersionPrivacy = NonNullable<
  NonNullable<Extract<ModelPassport, { kind: 'federated' }>['lineage'][number]['round']>['privacy']
>;

/** Of the round that made the version. */
function privacyOf(passport: ModelPassport): VersionPrivacy | undefined {
  return passport.kind === 'federated' ? passport.lineage.at(-1)?.round?.privacy : undefined;
}

/** The passport says how the version was protected; what sites have spent is told of the campaign, as it stands now. */
function describePrivacy(privacy: VersionPrivacy | undefined, spent: CampaignPrivacyView | undefined): string[] {
  if (privacy === undefined) return [];
  const { form, clipNorm, noiseMultiplier } = privacy;
  const most = spent && Math.max(0, ...spent.sites.map(({ epsilon }) => epsilon));
  return [
    `privacy  ${form} form, clip norm ${clipNorm}, noise ${noiseMultiplier} of it`,
    ...(spent === undefined || most === undefined
      ? []
      : [`         ε up to ${formatEpsilon(most)} at δ ${spent.delta}, spent in the campaign so far by one site`]),
  ];
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
  return `${campaignPath(campaign)}/versions`;
}

function campaignPath(campaign: string): string {
  return `/api/campaigns/${encodeURIComponent(campaign)}`;
}
