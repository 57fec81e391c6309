/**
 * The demonstration: a coordinator and three site agents as separate processes pretrain one model on real scans, then one of
 * them fine-tunes it beside a scratch run. Started by `npm run demo`, which does all set-up first.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError, FederationError, formatDuration } from '@consilium/shared/kernel';
import { type OutputFolder, outputFolder, PROJECT_ROOT, writePlans } from './demo-plan.js';
import { runCampaign, startFederation } from './federation-stage.js';
import { runFinetuning } from './finetuning-stage.js';
import { ProgramGroup } from './program-group.js';
import { StepFailed } from './step-failed.js';
import { type DemoSummary, describeSummary, NOTICE, summariseCampaign } from './summary.js';

const HELP = `npm run demo -- [options]

Three hospitals pretrain one model on real scans, one of them fine-tunes it. Ten minutes at most on two cores.

  --fast           the same path with fewer steps: three minutes at most
  --output FOLDER  where everything is written (default: demo-output); an earlier demonstration there is replaced
  --help           this text`;

/** Status of a program that Ctrl-C ended, by the shells' convention: 128 + SIGINT. */
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { fast: { type: 'boolean' }, output: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
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
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const output = openOutput(resolve(values.output ?? resolve(PROJECT_ROOT, 'demo-output')));
    await demonstrate(group, output, values.fast === true, () => interrupted);
    return interrupted ? INTERRUPTED : 0;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    throw error;
  } finally {
    await group.stopAll();
    if (interrupted) console.log('stopped; nothing is running any more');
  }
}

async function demonstrate(
  group: ProgramGroup,
  output: OutputFolder,
  fast: boolean,
  isInterrupted: () => boolean,
): Promise<void> {
  const startedMs = Date.now();
  const say = (line: string): void => console.log(`${formatDuration(Date.now() - startedMs).padStart(10)}  ${line}`);
  const plan = writePlans(output, fast);
  const federation = await startFederation(group, output, say);
  const campaignStartedMs = Date.now();
  const campaign = await runCampaign(group, federation, output, plan, say);
  const campaignSeconds = Math.round((Date.now() - campaignStartedMs) / 1000);
  for (const agent of federation.agents.values()) await agent.stop();
  const finetuned = await runFinetuning(group, output, plan, campaign, say);
  await federation.coordinator.stop();
  if (isInterrupted()) return;
  const summary: DemoSummary = {
    fast,
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

/** Empties the folder of an earlier demonstration; any other folder with content is left alone and refused. */
function openOutput(root: string): OutputFolder {
  const output = outputFolder(root);
  if (existsSync(root) && readdirSync(root).length > 0) {
    if (!existsSync(output.markerFile)) {
      throw new FederationError('ARGUMENT_INVALID', `${root} is not empty and holds no earlier demonstration`, {
        remedy: 'Name another folder with --output.',
      });
    }
    rmSync(root, { recursive: true });
  }
  return output;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof StepFailed) {
    console.error(`\n${error.message}`);
    process.exitCode = error.exitStatus;
  } else {
    const failure = FederationError.from(error);
    console.error(`\n${describeError(failure)}`);
    process.exitCode = failure.exitCode;
  }
}
