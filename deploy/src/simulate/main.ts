/** Many sites on one computer, with a real coordinator: `npm run simulate`, which builds first. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, FederationError } from '@consilium/shared/kernel';
import { createLiveBlock, onOutputClosed } from '@consilium/shared/terminal';
import { Simulation } from './simulation.js';
import { HELP, readSimulationOptions, type SimulationOptions } from './simulation-options.js';
import { describeSummary } from './simulation-summary.js';

/** Status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT. */
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = readSimulationOptions(process.argv.slice(2));
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const stop = new AbortController();
  const interrupt = (): void => {
    if (!stop.signal.aborted) console.log('\nstopping every site …');
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  onOutputClosed(interrupt);
  try {
    return await simulate(options, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.log('stopped; nothing is running any more');
    return INTERRUPTED;
  }
}

/** The folder stays when asked for, and after a failure, whose logs it holds. */
async function simulate(options: SimulationOptions, signal: AbortSignal): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-simulation-'));
  let isKept = options.keep;
  try {
    const simulation = new Simulation(options, folder);
    try {
      await simulation.open((line) => console.log(line), signal);
      const summary = await simulation.run(createLiveBlock(), signal);
      for (const line of describeSummary(summary)) console.log(line);
      if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${JSON.stringify(summary, null, 2)}\n`);
      isKept ||= summary.state !== 'finished';
      return summary.state === 'finished' ? 0 : 1;
    } catch (error) {
      isKept ||= !signal.aborted && FederationError.from(error).kind !== 'input';
      throw error;
    } finally {
      await simulation.close();
    }
  } finally {
    if (isKept) console.log(`its folder with the logs: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main().catch((thrown: unknown) => {
  const error = FederationError.from(thrown);
  console.error(describeError(error));
  return error.exitCode;
});
