/**
 * All cases with a target, each `repeats` times: prints one JSON line a measurement as it comes (also kept in
 * test/benchmarks/results), then a table with targets. The median of the repeats counts.
 *
 * usage: npm run bench:all -- --reference PYTHON [--repeats 3] [--steps 7] [--only TEXT] [--volume 256,256,128] [--threads 2]
 * `--only` takes the cases whose name contains the text ("width 8", "inference", "starts"). All of it takes about an hour
 * and a half; nothing else should need the processor meanwhile. Exits with 1 when a target is missed.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../../shared/dist/terminal/index.js';
import { bfloat16Obstacle } from './bfloat16-obstacle.mjs';
import { CASES } from './cases.mjs';
import { median, round } from './statistics.mjs';

const { values } = parseArgs({
  options: {
    reference: { type: 'string' },
    repeats: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    steps: { type: 'string' },
    volume: { type: 'string' },
    threads: { type: 'string' },
  },
});
const { repeats, only, ...given } = values;
const resultsFile = openResults();
const rows = [];
for (const each of CASES.filter(({ name }) => name.includes(only))) {
  const obstacle = bfloat16Obstacle(each);
  if (obstacle === undefined) rows.push(...(await measure(each)));
  else console.log(`${each.name}: ${obstacle}`);
}
console.log(formatTable(['case', 'measured', 'median', 'of', 'target', ''], rows.map(describe)));
console.log(`results: ${resultsFile}`);
process.exitCode = rows.every(passed) ? 0 : 1;

function openResults() {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  return join(folder, `${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.jsonl`);
}

/** One row for each target of the case. */
async function measure({ name, targets, work }) {
  const results = [];
  let failure;
  for (let repeat = 0; repeat < Number(repeats); repeat++) {
    try {
      const result = await work(given);
      results.push(result);
      const line = JSON.stringify({ name, repeat, ...result });
      console.log(line);
      appendFileSync(resultsFile, `${line}\n`);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
  }
  const disturbed = results.some((result) => result.disturbed || result.sameWork === false);
  return targets.map(({ measured, value, most }) => {
    const found = results.map(value).filter((number) => number !== null && number !== undefined);
    return { name, measured, found, most, failure, disturbed };
  });
}

function passed({ found, most, failure }) {
  return failure === undefined && found.length > 0 && median(found) <= most;
}

function describe(row) {
  const { name, measured, found, most, failure, disturbed } = row;
  if (found.length === 0) return [name, measured, '–', '', `≤ ${most}`, (failure ?? 'not measured').trim().split('\n').at(-1)];
  const verdict = passed(row) ? 'reached' : 'missed';
  const spread = found.map((value) => round(value, 3)).join(' ');
  return [name, measured, String(round(median(found), 3)), spread, `≤ ${most}`, disturbed ? `${verdict} (disturbed)` : verdict];
}
