/**
 * What a round costs: a real coordinator and real agent processes on loopback, real HTTP and sockets, SQLite and files on disk,
 * sites that do no training. Prints one JSON line. Options and what they measure: --help.
 *
 * usage: npm run bench:federation -- --sites 4 --parameters 25M --rounds 5
 */
import { measureIdle } from './federation/measure-idle.mjs';
import { measureKill } from './federation/measure-kill.mjs';
import { measureRounds } from './federation/measure-rounds.mjs';
import { HELP, readOptions } from './federation/options.mjs';
import { machineFacts } from './machine-facts.mjs';
import { printResult } from './print-result.mjs';

if (process.argv.includes('--help')) console.log(HELP);
else
  await printResult(async () => {
    const options = readOptions(process.argv.slice(2));
    const measure = options.idle !== undefined ? measureIdle : options.kill !== undefined ? measureKill : measureRounds;
    return { ...(await measure(options)), machine: machineFacts() };
  });
