/**
 * What folding a round costs: `npm run bench:aggregate -- --parameters 25e6 --sites 8 --threads 2 --recipe fedavg --repeats 5`.
 *
 *   --format f32|f16|bf16     number format of the updates (f32)
 *   --folder FOLDER           where the files lie (the system's folder for temporary files)
 *   --reference PYTHON        also averages with NumPy in 32 bits, as other systems do; any Python with numpy
 *
 * Prints one JSON line; README.md says what the fields mean.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeFoldThreads, foldFiles } from '../../coordinator/dist/aggregation/fold-files.js';
import { recipeSchema } from '../../shared/dist/wire/index.js';
import { madeManifest, patchesOf, referenceDigest, writeMadeModel } from './aggregate-files.mjs';
import { averageInMemory } from './aggregate-memory.mjs';
import { machineFacts, watchOthers } from './machine-facts.mjs';
import { printResult } from './print-result.mjs';
import { ratio, round } from './statistics.mjs';
import { timeTurns } from './time-turns.mjs';

const { values: options } = parseArgs({
  options: {
    parameters: { type: 'string', default: '25e6' },
    sites: { type: 'string', default: '8' },
    threads: { type: 'string', default: '2' },
    recipe: { type: 'string', default: 'fedavg' },
    repeats: { type: 'string', default: '5' },
    format: { type: 'string', default: 'f32' },
    folder: { type: 'string', default: tmpdir() },
    reference: { type: 'string' },
  },
});
const [parameters, sites, threads, repeats] = ['parameters', 'sites', 'threads', 'repeats'].map((name) => Number(options[name]));

await printResult(async () => {
  const folder = await mkdtemp(join(options.folder, 'bench-aggregate-'));
  try {
    return await measure(folder);
  } finally {
    await closeFoldThreads();
    await rm(folder, { recursive: true });
  }
});

async function measure(folder) {
  const readOthers = watchOthers();
  const usedBefore = process.cpuUsage();
  const job = await makeJob(folder);
  let outcome;
  const files = await timeTurns(repeats, async () => {
    outcome = await foldFiles(job);
  });
  const flush = await flushMilliseconds(join(folder, 'flushed'), outcome.bytes);
  const memory = options.recipe === 'fedavg' ? await averageInMemory({ parameters, sites, threads, repeats }) : null;
  const reference = options.reference === undefined ? undefined : numpyMilliseconds() / sites;
  const used = process.cpuUsage(usedBefore);
  return {
    parameters,
    sites,
    threads,
    recipe: options.recipe,
    format: options.format,
    millisecondsPerSiteInMemory: memory && round(memory.wall / sites, 2),
    millisecondsPerSiteFromFiles: round(files.wall / sites, 2),
    processorMillisecondsPerSiteInMemory: memory && round(memory.processor / sites, 2),
    processorMillisecondsPerSiteFromFiles: round(files.processor / sites, 2),
    flushMilliseconds: round(flush, 1),
    gigabytesPerSecond: round((job.updateBytes * sites) / (files.wall * 1e6), 2),
    digestMatchesReference: options.recipe === 'fedavg' ? outcome.digest === referenceDigest(job, sites, options.format) : null,
    numpyMillisecondsPerSite: reference === undefined ? null : round(reference, 2),
    ratioToNumpy: memory && ratio(memory.wall / sites, reference),
    peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    othersShare: readOthers((used.user + used.system) / 1e6),
    machine: machineFacts(),
  };
}

async function makeJob(folder) {
  const manifest = madeManifest(parameters);
  const updates = [];
  for (let site = 0; site < sites; site++) {
    const path = join(folder, `update-${site}`);
    await writeMadeModel(path, manifest, site, options.format);
    updates.push({ siteName: `site-${String(site).padStart(4, '0')}`, patches: patchesOf(site), staleness: 0, path });
  }
  const basePath = join(folder, 'base');
  await writeMadeModel(basePath, manifest, -1, 'f32');
  return {
    manifest,
    basePath,
    statePath: null,
    updates,
    updateBytes: parameters * (options.format === 'f32' ? 4 : 2),
    recipe: recipeSchema.parse({ name: options.recipe }),
    metadata: {},
    sitesOfCampaign: sites,
    digest: 'blake3',
    outputPath: join(folder, 'version'),
    stateOutputPath: join(folder, 'state'),
    threads,
  };
}

/** What the disk alone takes to write and keep as many bytes as the fold does. */
async function flushMilliseconds(path, bytes) {
  const file = await open(path, 'w');
  const chunk = Buffer.alloc(1 << 20, 1);
  const startedAt = performance.now();
  for (let written = 0; written < bytes; written += chunk.length)
    await file.write(chunk, 0, Math.min(chunk.length, bytes - written));
  await file.sync();
  const took = performance.now() - startedAt;
  await file.close();
  return took;
}

function numpyMilliseconds() {
  const script = new URL('./reference_aggregate.py', import.meta.url).pathname;
  const run = spawnSync(options.reference, [script, String(parameters), String(sites), String(repeats)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the reference failed: ${run.stderr || run.error?.message}`);
  return Number(run.stdout);
}
