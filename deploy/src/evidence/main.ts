/**
 * The evidence: runs a fixed protocol of pretrainings and fine-tunings with real programs on real scans, keeps the result of each
 * run, and writes pages of what came out. Started by `npm run evidence`, which does all set-up first.
 */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FederationError, formatDuration } from '@consilium/shared/kernel';
import { createLiveBlock, formatTable } from '@consilium/shared/terminal';
import { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { runProgram } from '../programs/run-program.js';
import { MadeModels } from './made-models.js';
import { writePages } from './pages.js';
import { readProtocol } from './protocol.js';
import { RunExecutor } from './run-executor.js';
import { runPiece } from './run-piece.js';
import { RunStore } from './run-store.js';
import { ShelfData } from './shelf-data.js';
import { chosenRuns, type EvidenceRun, workList } from './work-list.js';

const HELP = `npm run evidence -- [options]

Pretrains and fine-tunes by a fixed protocol on real scans and writes docs/evidence: a table, curves, and one JSON file per run. Runs
that are there already are not repeated; a stopped one goes on. Pretrained models lie in evidence-output; one that is missing there is
pretrained again when a fine-tuning needs it. About seven hours on two cores, in as many pieces as you like; with --further about three
and a half hours more.

  --data FOLDER    the scans of the protocol (default: ../shared/data beside the project)
  --jobs N         runs at a time, each with its share of the processor's threads (default: one per core, at most 8)
  --minutes N      starts no run after so many minutes
  --further        also what the results made us ask: other seeds of the pretrainings, longer schedules, plateaus
  --only TEXT      only runs whose name contains TEXT, further ones too; given several times, any of them
  --smoke          the same path with very few steps, into evidence-output/smoke: minutes
  --list           says which runs there are and which are done
  --pages          only writes the pages from the results that are there
  --help           this text`;

const INTERRUPTED = 130;
/** Each takes some 600 MiB. */
const MOST_JOBS = 8;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      jobs: { type: 'string' },
      minutes: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      further: { type: 'boolean', default: false },
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
    const jobs = numberOf('jobs', values.jobs, Math.min(availableParallelism(), MOST_JOBS));
    const group = new ProgramGroup();
    const block = createLiveBlock();
    const models = new MadeModels(join(work, 'models'), store);
    const warn = (line: string): void => block.printAbove(line);
    const executor = new RunExecutor({ group, data, store, models, work, jobs, warn });
    const runs = chosenRuns(all, values);
    const minutes = numberOf('minutes', values.minutes, Infinity);
    const end = await runPiece({ runs, store, group, executor, jobs, minutes, block });
    if (end === 'interrupted') return INTERRUPTED;
    if (end === 'time is up') say(`the time is up; ${runs.filter((one) => store.find(one) === undefined).length} runs are left`);
  }
  writePages(protocol, all, store, pages);
  return say(`pages: ${join(pages, 'README.md')}`);
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function numberOf(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (number > 0 && (option !== 'jobs' || Number.isInteger(number))) return number;
  throw new FederationError('ARGUMENT_INVALID', `--${option} ${text}: not a number above 0`, {
    remedy: 'See: npm run evidence -- --help',
  });
}

function describeList(runs: readonly EvidenceRun[], store: RunStore): string {
  const rows = runs.map((run) => {
    const result = store.find(run);
    const left = run.further ? 'to do, with --further' : 'to do';
    return [run.id, result === undefined ? left : formatDuration(result.wallSeconds * 1000)];
  });
  const strangers = store.strangers(runs).map((file) => `no run of the protocol: ${file}`);
  return [formatTable(['run', 'done in'], rows), ...strangers].join('\n');
}

await runProgram(main);
