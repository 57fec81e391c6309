import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { describeError, FederationError, formatBytes, formatDuration } from '@consilium/shared/kernel';
import { createProgress } from '@consilium/shared/terminal';
import { parseWith, type PreparationPlan, preparationPlanSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import { CollectionIndex } from '../collection/collection-index.js';
import { doubtVolumes } from '../collection/doubt-volumes.js';
import type { IndexedVolume } from '../volumes/indexed-volume.js';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { requireHome, type SiteFolder } from '../config/site-folder.js';
import { dropPrepared, PatchCache } from '../preprocessing/patch-cache/patch-cache.js';
import { type PreparedCollection, prepareCollection } from '../preprocessing/prepare-collection.js';
import type { VolumeToPrepare } from '../preprocessing/prepare-indexed.js';
import { completePlan } from '../preprocessing/prepare-volume.js';
import { endOnInterrupt } from './end-on-interrupt.js';

interface PreprocessOptions {
  readonly home: string;
  readonly campaign?: string;
  readonly cacheLimit?: string;
  readonly json?: boolean;
}

/** Reasons shown; the rest is counted. */
const MOST_REASONS = 20;
const SPACE_CHECK_MS = 5000;

/** `site-agent preprocess`: prepares all indexed volumes now, so that the first round need not. */
export function preprocessCommand(): Command {
  return new Command('preprocess')
    .description('prepare the indexed scans for training now, rather than when the first round begins')
    .option('--campaign <file>', 'prepare as this campaign file asks (patch.preparation); as published when left out')
    .option('--cache-limit <size>', 'space that prepared volumes may take, such as 200GiB (as cacheLimit in site.yaml)')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Ctrl-C at any time; the same command goes on. A full disk pauses it until there is space again.
Prepared volumes lie in the site's folder "prepared" and may be deleted at any time.

Examples:
  site-agent --home my-site preprocess
  site-agent --home my-site preprocess --campaign chest.yaml --cache-limit 200GiB`,
    )
    .action(async (_options: unknown, command: Command) => {
      await preprocess(command.optsWithGlobals<PreprocessOptions>());
    });
}

async function preprocess({ home, campaign, cacheLimit, json }: PreprocessOptions): Promise<void> {
  const config = loadAgentConfig({ home, flags: { cacheLimit } });
  requireHome(config.folder);
  const plan = campaign === undefined ? completePlan(undefined) : readPreparation(campaign);
  const startedMs = Date.now();
  const { result, reasons } = await prepareAll(config, plan);
  const bytes = (await PatchCache.open(config.folder.preparedFolder)).usedBytes();
  if (json === true) {
    const { volumes, made, leftOut } = result;
    console.log(JSON.stringify({ prepared: volumes.length, made, leftOut, reasons, cacheBytes: await bytes }));
  } else {
    console.log(describe(result, reasons, config, await bytes, Date.now() - startedMs));
  }
  if (result.volumes.length === 0) throw nothingPrepared(result);
}

async function prepareAll(
  config: AgentConfig,
  plan: PreparationPlan,
): Promise<{ result: PreparedCollection; reasons: string[] }> {
  const { folder, cacheLimitBytes } = config;
  const indexed = listUsable(folder.databaseFile);
  const cache = await PatchCache.open(folder.preparedFolder, cacheLimitBytes);
  const progress = createProgress({ label: 'Preparing volumes', total: indexed.length });
  const stopWatching = endOnInterrupt(progress);
  const reasons: string[] = [];
  const left: VolumeToPrepare[] = [];
  let ready = 0;
  const draw = (note?: string): void =>
    progress.update(ready, note ?? (reasons.length === 0 ? '' : `${reasons.length} left out`));
  try {
    const result = await prepareCollection(indexed, cache, plan, {
      onProgress: (done) => {
        ready = done;
        draw();
      },
      onLeftOut: (error, volume) => {
        reasons.push(error.message);
        left.push(volume);
      },
      waitForSpace: (error) => waitForSpace(error, folder.preparedFolder, draw),
    });
    return { result, reasons };
  } finally {
    await dropForgotten(folder, indexed);
    doubtVolumes(folder.databaseFile, left);
    stopWatching();
    progress.finish();
  }
}

/** Volumes that were opted out while this went on may have been prepared after "forget" had looked for copies. */
async function dropForgotten({ databaseFile, preparedFolder }: SiteFolder, prepared: readonly IndexedVolume[]): Promise<void> {
  const usable = new Set(listUsable(databaseFile).map(({ digest }) => digest));
  const forgotten = prepared.map(({ digest }) => digest).filter((digest) => !usable.has(digest));
  if (forgotten.length > 0) await dropPrepared(preparedFolder, forgotten);
}

let toldOfFullDisk = false;

async function waitForSpace(error: FederationError, folder: string, note: (text: string) => void): Promise<void> {
  if (!toldOfFullDisk) console.error(`\n${describeError(error)}\n  Waiting for space for ${folder}; Ctrl-C ends the command.`);
  toldOfFullDisk = true;
  note('waiting for space');
  await new Promise((resolve) => setTimeout(resolve, SPACE_CHECK_MS));
}

function listUsable(databaseFile: string): IndexedVolume[] {
  const index = CollectionIndex.open(databaseFile);
  try {
    return index.usable();
  } finally {
    index.close();
  }
}

const campaignFile = z.looseObject({ patch: z.looseObject({ preparation: preparationPlanSchema.optional() }).optional() });

function readPreparation(file: string): PreparationPlan {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8'));
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new FederationError('CAMPAIGN_INVALID', `the campaign file cannot be read: ${words}`, {
      cause,
      remedy: 'Give the campaign’s YAML file; the operator has it.',
    });
  }
  return completePlan(parseWith(campaignFile, content, 'CAMPAIGN_INVALID', 'the campaign file').patch?.preparation);
}

function describe(
  { volumes, made, leftOut }: PreparedCollection,
  reasons: readonly string[],
  { folder }: AgentConfig,
  bytes: number,
  durationMs: number,
): string {
  const head = `${volumes.length} volumes ready: ${made} prepared now, ${volumes.length - made} before, in ${formatDuration(durationMs)}`;
  const place = `${formatBytes(bytes)} in ${folder.preparedFolder}`;
  if (leftOut === 0) return `${head}\n${place}`;
  const more = leftOut > MOST_REASONS ? [`  … and ${leftOut - MOST_REASONS} more; --json lists all`] : [];
  return [head, place, `Left out (${leftOut}):`, ...reasons.slice(0, MOST_REASONS).map((reason) => `  ${reason}`), ...more].join(
    '\n',
  );
}

function nothingPrepared({ leftOut }: PreparedCollection): FederationError {
  return new FederationError(
    'COLLECTION_EMPTY',
    leftOut === 0 ? 'this site has no usable volume yet' : `none of ${leftOut} volumes can be prepared`,
    { remedy: 'Run "site-agent index FOLDER" with a folder of scans; it says which files can be used.' },
  );
}
