/**
 * What it costs to run a federation: the memory of idle sites, a storm of reconnections, the latency of control messages under
 * progress reports, and what TLS and signing take of the upload rate. Prints one JSON line for each. Options: --help.
 *
 * usage: npm run bench:operation [-- --only idle,storm]
 */
import { parseArgs } from 'node:util';
import { measureIdle } from './federation/measure-idle.mjs';
import { machineFacts } from './machine-facts.mjs';
import { measureLatency } from './operation/measure-latency.mjs';
import { measureSecureLine } from './operation/measure-secure-line.mjs';
import { measureStorm } from './operation/measure-storm.mjs';
import { printResult } from './print-result.mjs';

/** Each with what its figure may be at most. */
const PARTS = {
  idle: { target: 400, figure: 'coordinatorIdleRssMiB', measure: ({ idle }) => measureIdle({ idle, keep: false }) },
  storm: { target: 15, figure: 'worstSecondsUntilAllReady', measure: measureStorm },
  latency: { target: 200, figure: 'p99Ms', measure: measureLatency },
  line: { target: 0.25, figure: 'shareLost', measure: measureSecureLine },
};

const HELP = `npm run bench:operation -- [options]

Real processes on loopback. Prints one JSON line for each part, with "target" (the most that "figure" may be) and "reached".
Build first. Exits with 1 when a target is missed.

  --only PARTS      some of ${Object.keys(PARTS).join(', ')}, with commas (default: all)
  --idle N          idle sites: the coordinator's resident memory (default 500)
  --storm N         sites whose coordinator is stopped and started again: seconds until all are ready (default 200)
  --outage SECONDS  how long it is away (default 10: agents have begun to ask less often)
  --talkers N       sites that report progress once a second, as agents do (default 200): latency of another one's sync
  --loud N          sites that report as fast as they are answered, measured apart (default 16)
  --bytes SIZE      of the uploads in the clear and with TLS and signing (default 200MB)
  --repeats R       of storms, and pairs of uploads (default 3)`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(PARTS).join(',') },
      idle: { type: 'string', default: '500' },
      storm: { type: 'string', default: '200' },
      outage: { type: 'string', default: '10' },
      talkers: { type: 'string', default: '200' },
      loud: { type: 'string', default: '16' },
      bytes: { type: 'string', default: '200MB' },
      repeats: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  const { only, bytes, help, ...numbers } = values;
  const parts = only.split(',');
  const unknown = parts.find((name) => !(name in PARTS));
  if (unknown !== undefined) throw new Error(`--only ${unknown} is none of ${Object.keys(PARTS).join(', ')}`);
  const counts = Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)]));
  const wrong = Object.entries(counts).find(([, count]) => !(count > 0));
  if (wrong !== undefined) throw new Error(`--${wrong[0]} is a number above 0`);
  return { parts, bytes, help, ...counts };
}

try {
  const options = readOptions();
  if (options.help) console.log(HELP);
  else {
    for (const part of options.parts) {
      await printResult(async () => {
        const { target, figure, measure } = PARTS[part];
        const measured = await measure(options);
        const reached = measured[figure] === null ? null : measured[figure] <= target;
        if (reached === false) process.exitCode = 1;
        return { bench: 'operation', part, figure, target, reached, ...measured, machine: machineFacts() };
      });
    }
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
