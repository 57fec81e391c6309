/**
 * The demonstration: a coordinator and three site agents as separate processes pretrain one model on real scans, then one of
 * them fine-tunes it beside a scratch run. Started by `npm run demo`, which does all set-up first.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { FederationError, formatDuration } from '@consilium/shared/kernel';
import { onOutputClosed } from '@consilium/shared/terminal';
import { startFederation } from '../programs/federation.js';
import { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import { runProgram } from '../programs/run-program.js';
import { type DemoLength, FAST_LENGTH, writePlans } from './demo-plan.js';
import { hospitalFederation, runCampaign } from './federation-stage.js';
import { runFinetuning } from './finetuning-stage.js';
import { openOutputFolder, type OutputFolder } from './output-folder.js';
import { type DemoSummary, describeSummary, NOTICE, summariseCampaign } from './summary.js';

const HELP = `npm run demo -- [options]

Three hospitals pretrain one model on real scans, one of them fine-tunes it. Ten minutes at most on two cores.

  --fast           the same path with fewer steps: three minutes at most
  --output FOLDER  where everything is written (default: demo-output); an earlier demonstration there is replaced
  --help           this text

To choose the lengths yourself:
  --rounds N           rounds of federated pretraining
  --steps N            optimizer steps per hospital and round
  --finetune-steps N   optimizer steps of each of the two fine-tunings`;

/** Status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT. */
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const group = new ProgramGroup();
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return;
    interrupted = true;
    console.log('\nstopping every process …');
    void group.stopAll();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  onOutputClosed(interrupt);
  try {
    await demonstrate(group, openOutputFolder(options.output), options, () => interrupted);
    return interrupted ? INTERRUPTED : 0;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    throw error;
  } finally {
    await group.stopAll();
    if (interrupted) console.log('stopped; nothing is running any more');
  }
}

interface DemoOptions {
  readonly help: boolean;
  readonly fast: boolean;
  readonly output: string;
  readonly length: DemoLength;
}

function readOptions(): DemoOptions {
  const count = { type: 'string' } as const;
  const { values } = parseArguments({
    fast: { type: 'boolean' },
    output: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
    rounds: count,
    steps: count,
    'finetune-steps': count,
  });
  const chosen = { rounds: values.rounds, steps: values.steps, finetuneSteps: values['finetune-steps'] };
  const given = Object.entries(chosen).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, positiveCount(text)] as const],
  );
  return {
    help: values.help === true,
    fast: values.fast === true,
    output: resolve(values.output ?? join(PROJECT_ROOT, 'demo-output')),
    length: { ...(values.fast === true ? FAST_LENGTH : {}), ...Object.fromEntries(given) },
  };
}

function parseArguments<T extends NonNullable<ParseArgsConfig['options']>>(
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>> {
  try {
    return parseArgs({ options });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.split('.')[0] : String(cause);
    throw new FederationError('ARGUMENT_INVALID', words ?? 'unknown option', { cause, remedy: 'See: npm run demo -- --help' });
  }
}

function positiveCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new FederationError('ARGUMENT_INVALID', `"${text}" is not a count of at least 1`, {
    remedy: 'See: npm run demo -- --help',
  });
}

async function demonstrate(
  group: ProgramGroup,
  output: OutputFolder,
  options: DemoOptions,
  isInterrupted: () => boolean,
): Promise<void> {
  const startedMs = Date.now();
  const say = (line: string): void => console.log(`${formatDuration(Date.now() - startedMs).padStart(10)}  ${line}`);
  const plan = writePlans(output, options.length);
  const federation = await startFederation(group, hospitalFederation(output), say);
  const campaignStartedMs = Date.now();
  const campaign = await runCampaign(group, federation, output, plan, say);
  const campaignSeconds = Math.round((Date.now() - campaignStartedMs) / 1000);
  for (const agent of federation.agents.values()) await agent.stop();
  const finetuned = await runFinetuning(group, output, plan, campaign, say);
  await federation.coordinator.stop();
  if (isInterrupted()) return;
  const summary: DemoSummary = {
    fast: options.fast,
    wallSeconds: Math.round((Date.now() - startedMs) / 1000),
    federation: summariseCampaign(campaign, campaignSeconds),
    ...finetuned,
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    notice: NOTICE,
  };
  writeFileSync(output.summaryFile, `${JSON.stringify(summary, null, 2)}\n`);
  console.log(describeSummary(summary, output.root));
  say('finished; nothing is running any more');
}

await runProgram(main);
