/**
 * What volumes cost on their way to a training batch: reading, preparing, distorting, feeding. Each row is measured beside
 * its reference in the same run and printed as one JSON line as it comes.
 *
 * usage: npm run bench:volumes -- [--reference PYTHON] [--only genesis-pair,nifti-load] [--repeats 3] [--list]
 * PYTHON is a Python with the packages that the rows name (`needs` in --list); without it only our side is measured. The rows
 * lie in test/benchmarks/volumes. Exits with 1 when a target is missed or a row cannot be measured. Build first.
 */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { machineFacts, watchOthers } from './machine-facts.mjs';
import { processorSecondsOfAll } from './own-processor-time.mjs';
import { median, round } from './statistics.mjs';

/** Other programs may take this share of the machine. */
const QUIET_SHARE = 0.05;
const MOST_REPEATS = 100;

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function main() {
  const { values } = parseArgs({
    options: {
      reference: { type: 'string' },
      only: { type: 'string' },
      repeats: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
    },
  });
  const rows = pick(await loadRows(), values.only);
  if (values.list) return rows.forEach(({ measure: _, ...row }) => console.log(JSON.stringify(row)));
  const lines = [];
  for (const row of rows) lines.push(await printRow(row, { python: values.reference, repeats: readRepeats(values.repeats) }));
  process.exitCode = lines.some(({ reached }) => reached === false) ? 1 : 0;
}

async function loadRows() {
  const folder = join(import.meta.dirname, 'volumes');
  const files = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
  const modules = await Promise.all(files.toSorted().map((name) => import(join(folder, name))));
  return modules.flatMap((module) => module.rows ?? [module.default ?? { ...module }]).filter(({ measure }) => measure);
}

function pick(rows, only) {
  if (only === undefined) return rows;
  const names = only.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0 || names.length === 0) {
    throw new Error(`--only: no row is called ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}`);
  }
  return rows.filter(({ name }) => names.includes(name));
}

function readRepeats(text) {
  const repeats = Number(text);
  if (Number.isInteger(repeats) && repeats >= 1 && repeats <= MOST_REPEATS) return repeats;
  throw new Error(`--repeats needs a whole number from 1 to ${MOST_REPEATS}, not "${text}"`);
}

async function printRow(row, options) {
  const line = await measureRow(row, options).catch((error) => {
    const message = error instanceof Error ? error.message : String(error);
    return { name: row.name, unit: row.unit, target: row.target, reached: false, failure: message, machine: machineFacts() };
  });
  console.log(JSON.stringify(line));
  return line;
}

/** The repeat with the median of our figures, and all of them beside it. */
async function measureRow({ name, unit, target, needs, measure }, { python, repeats }) {
  if (python !== undefined) await requirePackages(python, needs ?? []);
  const results = [];
  const othersShare = watchOthers();
  const usedBefore = processorSecondsOfAll();
  for (let repeat = 0; repeat < repeats; repeat++) results.push(await measure({ python, repeats }));
  const others = othersShare(processorSecondsOfAll() - usedBefore);
  const { ours, reference = null, ...details } = nearestToMedian(results);
  const ratio = typeof reference === 'number' ? round(ours / reference, 4) : null;
  return {
    name,
    ours: round(ours),
    reference: round(reference),
    ratio,
    unit,
    target,
    reached: isReached(target, ours, ratio),
    ...(repeats > 1 ? { repeats: results.map((result) => [round(result.ours), round(result.reference ?? null)]) } : {}),
    ...details,
    othersShare: others,
    disturbed: others === null ? null : others > QUIET_SHARE,
    machine: machineFacts(),
  };
}

function nearestToMedian(results) {
  const middle = median(results.map(({ ours }) => ours));
  return results.toSorted((a, b) => Math.abs(a.ours - middle) - Math.abs(b.ours - middle))[0];
}

/** `target` is the most that ours may be, or {most, mostRatio}; null when only the missing reference could tell. */
function isReached(target, ours, ratio) {
  const { most = Infinity, mostRatio = Infinity } = typeof target === 'number' ? { most: target } : (target ?? {});
  if (!(ours <= most) || ratio > mostRatio) return false;
  return ratio === null && mostRatio !== Infinity ? null : true;
}

async function requirePackages(python, packages) {
  const program = `import importlib.util, sys; print(" ".join(n for n in sys.argv[1:] if importlib.util.find_spec(n) is None))`;
  const { stdout } = await promisify(execFile)(python, ['-c', program, ...packages]).catch((error) => {
    throw new Error(`--reference: ${python} does not run as a Python (${error.code ?? error.message})`);
  });
  const missing = stdout.trim();
  if (missing === '') return;
  throw new Error(`--reference: ${python} lacks ${missing}; install it there: ${python} -m pip install ${missing}`);
}
