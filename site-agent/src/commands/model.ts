import { existsSync, statSync } from 'node:fs';
import { Command } from 'commander';
import { type Digest, FederationError, formatBytes, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { AgentJournal, PinnedFile } from '../agent/agent-journal.js';
import type { AgentConfig } from '../config/agent-config.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';
import { readIdentity } from '../config/site-identity.js';
import { outgoingLine } from '../link/outgoing-line.js';
import { siteAccess } from '../link/site-access.js';
import { type OfferedVersion, offeredVersions } from '../versions/pull-version.js';
import { compareCommand } from './model-compare.js';
import { pinCommand, unpinCommand } from './model-pins.js';
import { pullCommand } from './model-pull.js';
import { showCommand, verifyCommand } from './model-show.js';
import { withSiteJournal } from './site-journal.js';

/** `site-agent model`: which versions of the federation's models are here, and which of them this site goes on with. */
export function modelCommand(): Command {
  const command = new Command('model').description('model versions of the federation at this site');
  for (const part of [
    listCommand(),
    pullCommand(),
    showCommand(),
    compareCommand(),
    pinCommand(),
    unpinCommand(),
    verifyCommand(),
  ])
    command.addCommand(part);
  return command;
}

interface ListOptions {
  readonly home: string;
  readonly json?: boolean;
  readonly here?: boolean;
}

/** A version that is here or that the coordinator offers, or a model of the site's own that has a name. */
interface ListedVersion {
  /** Null, as its number, of a model of the site's own. */
  readonly campaignName: string | null;
  readonly number: number | null;
  readonly digest: Digest;
  /** Null of a pinned file that is gone. */
  readonly bytes: number | null;
  /** Null where it is at the coordinator only. */
  readonly path: string | null;
  readonly pins: readonly string[];
  /** Restoration skill on this site's own probe; null where it has none. */
  readonly skill: number | null;
  /** Whether the coordinator has it still; null where it was not asked or did not answer. */
  readonly offered: boolean | null;
}

/** An answer takes longer only where something is wrong; the list of what is here should not wait for it. */
const PATIENCE_MS = 5000;

function listCommand(): Command {
  return new Command('list')
    .description('list the model versions that are here, and those that the coordinator offers')
    .option('--here', 'only those that are here; the coordinator is not asked')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nStart a fine-tuning from one:\n  site-agent finetune task.yaml --from CAMPAIGN@VERSION')
    .action(async (_options: unknown, command: Command) => list(command.optsWithGlobals<ListOptions>()));
}

async function list({ home, json, here }: ListOptions): Promise<void> {
  await withSiteJournal(home, async (journal, folder, config) => {
    const offered = here === true ? undefined : await askCoordinator(config);
    const versions = mergeVersions(journal, folder, offered);
    if (json === true) console.log(JSON.stringify(versions, null, 2));
    else if (versions.length === 0) console.log('No model version is here yet; the agent fetches one with each round.');
    else console.log(describe(versions));
  });
}

/** What the coordinator offers; undefined, with a line that says why, when it cannot be asked. */
async function askCoordinator(config: AgentConfig): Promise<readonly OfferedVersion[] | undefined> {
  const { folder, coordinatorUrl } = config;
  const identity = readIdentity(folder);
  if (identity === undefined) return undefined;
  try {
    return await offeredVersions(siteAccess(folder, identity, { coordinatorUrl, line: outgoingLine(config) }), PATIENCE_MS);
  } catch (thrown) {
    console.error(`The coordinator’s versions are not shown: ${FederationError.from(thrown).message}.`);
    return undefined;
  }
}

function mergeVersions(
  journal: AgentJournal,
  folder: SiteFolder,
  offered: readonly OfferedVersion[] | undefined,
): ListedVersion[] {
  const pins = journal.pins();
  const complete = (version: Pick<ListedVersion, 'campaignName' | 'number' | 'digest' | 'bytes'>): ListedVersion => {
    const { campaignName, number, digest, bytes } = version;
    const path = modelFile(folder, digest);
    return {
      campaignName,
      number,
      digest,
      bytes,
      path: existsSync(path) ? path : null,
      pins: pins.filter((pin) => pin.digest === digest).map(({ name }) => name),
      skill: journal.scoreOfVersion(digest)?.skill ?? null,
      offered: offered === undefined ? null : offered.some((other) => other.digest === digest && !other.isDropped),
    };
  };
  const here = journal
    .versions()
    .map(complete)
    .filter(({ path }) => path !== null);
  const elsewhere = (offered ?? []).filter(({ digest }) => !here.some((version) => version.digest === digest)).map(complete);
  return [...here, ...elsewhere, ...journal.pinnedFiles().map(ownModel)];
}

/** A pinned file that is gone keeps its name, which cannot be given to another before it is unpinned. */
function ownModel({ name, path, digest }: PinnedFile): ListedVersion {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? null;
  return { campaignName: null, number: null, digest, bytes, path, pins: [name], skill: null, offered: null };
}

function describe(versions: readonly ListedVersion[]): string {
  const rows = versions.map(({ campaignName, number, digest, bytes, path, pins, skill, offered }) => [
    campaignName ?? 'your own',
    number ?? '–',
    shortDigest(digest),
    bytes === null ? '–' : formatBytes(bytes),
    skill?.toFixed(3) ?? '–',
    pins.join(', '),
    bytes === null
      ? `gone: ${path}; "site-agent model unpin ${pins.join()}" frees its name`
      : (path ?? (offered === false ? 'dropped by the coordinator' : 'at the coordinator')),
  ]);
  return formatTable(['campaign', 'version', 'digest', 'size', 'skill here', 'pinned as', 'file'], rows);
}
