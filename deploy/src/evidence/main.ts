/**
 * The evidence: runs a fixed protocol of pretrainings and fine-tunings with real programs on real scans, keeps the result of each
 * run, and writes pages of what came out. Started by `npm run evidence`, which does all set-up first.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FederationError, formatDuration } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { runProgram } from '../programs/run-program.js';
import { writePages } from './pages.js';
import { readProtocol } from './protocol.js';
import { type EvidenceFolders, RunExecutor } from './run-executor.js';
import { RunStore } from './run-store.js';
import { ShelfData } from './shelf-data.js';
import { type EvidenceRun, workList } from './work-list.js';

const HELP = `npm run evidence -- [options]

Pretrains and fine-tunes by a fixed protocol on real scans and writes docs/evidence: a table, curves, and one JSON file per run. Runs
that are there already are not repeated; a stopped one goes on. About six hours on two cores, in as many pieces as you like.

  --data FOLDER    the scans of the protocol (default: ../shared/data beside the project)
  --minutes N      starts no run after so many minutes
  --only TEXT      only runs whose name contains TEXT
  --smoke          the same path with very few steps, into evidence-output/smoke: minutes
  --list           says which runs there are and which are done
  --pages          only writes the pages from the results that are there
  --help           this text`;

const INTERRUPTED = 130;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      minutes: { type: 'string' },
      only: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      pages: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return say(HELP);
  const files = join(PROJECT_ROOT, 'deploy', 'evidence');
  const protocol = readProtocol(join(files, values.smoke ? 'smoke.yaml' : 'protocol.yaml'));
  const work = join(PROJECT_ROOT, 'evidence-output', protocol.name);
  const pages = values.smoke ? join(work, 'pages') : join(PROJECT_ROOT, 'docs', 'evidence');
  const store = new RunStore(join(pages, 'runs'));
  const all = workList(protocol, files);
  if (values.list) return say(describeList(all, store));
  if (!values.pages) {
    const data = ShelfData.open(resolve(values.data ?? join(PROJECT_ROOT, '..', 'shared', 'data')));
    const wanted = all.filter(({ id }) => id.includes(values.only ?? ''));
    const folders = { work, models: join(work, 'models') };
    const status = await runPiece(all, wanted, { store, data, folders, minutes: minutesOf(values.minutes) });
    if (status !== 0) return status;
  }
  writePages(protocol, all, store, pages);
  return say(`pages: ${join(pages, 'README.md')}`);
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function minutesOf(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const minutes = Number(text);
  if (minutes > 0) return minutes;
  throw new FederationError('ARGUMENT_INVALID', `--minutes ${text}: not a number above 0`, {
    remedy: 'See: npm run evidence -- --help',
  });
}

interface Piece {
  readonly store: RunStore;
  readonly data: ShelfData;
  readonly folders: EvidenceFolders;
  readonly minutes: number;
}

/** Runs what is wanted and not done, one after the other, until the time is up; 130 after Ctrl-C. */
async function runPiece(all: readonly EvidenceRun[], wanted: readonly EvidenceRun[], piece: Piece): Promise<number> {
  const group = new ProgramGroup();
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void group.stopAll();
    });
  }
  const startedMs = Date.now();
  const executor = new RunExecutor(group, piece.data, piece.store, piece.folders, (line) => console.log(`    ${line}`));
  try {
    for (const run of wanted) {
      if (piece.store.find(run) !== undefined) continue;
      if (Date.now() - startedMs > piece.minutes * 60_000) {
        console.log(`the time is up; ${all.filter((one) => piece.store.find(one) === undefined).length} runs are left`);
        return 0;
      }
      console.log(`${formatDuration(Date.now() - startedMs).padStart(10)}  ${run.id}`);
      await executor.execute(run);
    }
    return 0;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    throw error;
  } finally {
    await group.stopAll();
  }
}

function describeList(runs: readonly EvidenceRun[], store: RunStore): string {
  const rows = runs.map((run) => {
    const result = store.find(run);
    return [run.id, result === undefined ? 'to do' : formatDuration(result.wallSeconds * 1000)];
  });
  const strangers = store.strangers(runs).map((file) => `no run of the protocol: ${file}`);
  return [formatTable(['run', 'done in'], rows), ...strangers].join('\n');
}

await runProgram(main);
