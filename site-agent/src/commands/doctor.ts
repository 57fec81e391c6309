import { Command } from 'commander';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { runtimeSearch } from '../config/runtime-search.js';
import { checkNodejsVersion, describeChecks, exitCodeOfChecks } from '@consilium/shared/terminal';
import type { RuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { Check } from '@consilium/shared/terminal';
import { checkFreeDisk, checkPolicy, checkRuntime, checkSiteFolder } from './doctor-checks.js';
import { checkLink } from './doctor-link.js';
import { within } from './doctor-bounds.js';
import { checkData } from './doctor-data.js';
import { checkDevice } from './doctor-gpu.js';
import { checkSharedMemory } from './doctor-memory.js';
import { probeRuntime } from './runtime-probe.js';

const LIMIT_MS = 10_000;
const LONG_LIMIT_MS = 3_600_000;

/** Everything the doctor found; `--json` prints it as it is. */
export interface Diagnosis {
  readonly healthy: boolean;
  readonly checks: readonly Check[];
  /** Absent when TensorFlow did not load. */
  readonly runtime?: RuntimeFacts | undefined;
}

/** `site-agent doctor`: what this computer offers, what is missing and how to mend it. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'look at runtime, GPU, memory, disk, scans, the way to the coordinator and its speed, and say how to mend what is wrong',
    )
    .option('--data <folder...>', 'folders of scans to look at; those that are indexed when left out')
    .option('--all', 'look at every file of the scans, however long it takes, not at the first 2,000')
    .option('--no-upload', 'send no random bytes to measure how fast uploads are')
    .option('--json', 'print everything as JSON')
    .addHelpText('after', '\nExamples:\n  site-agent doctor\n  site-agent doctor --data /data/ct --all --no-upload')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DoctorOptions & { home?: string; json?: boolean }>();
      const diagnosis = await diagnose(options.home ?? defaultHome(), options);
      console.log(options.json ? JSON.stringify(diagnosis, null, 2) : describeDiagnosis(diagnosis));
      process.exitCode = exitCodeOfChecks(diagnosis.checks);
      // What was cut may still hang, and must not keep the program.
      process.stdout.write('', () => process.exit());
    });
}

export interface DoctorOptions {
  readonly data?: readonly string[];
  readonly all?: boolean;
  readonly upload?: boolean;
}

/** Runs all checks, each of bounded time; ten seconds or so in all, for TensorFlow is loaded and the line is measured. */
export async function diagnose(home: string, options: DoctorOptions = {}, probe = probeRuntime): Promise<Diagnosis> {
  const runtime = await checkRuntime(runtimeSearch(), probe);
  const config = loadAgentConfig({ home });
  const device = runtime.facts === undefined ? [] : [checkDevice(config.device, config.tf32, runtime.facts.gpu)];
  const checks = [
    checkNodejsVersion(process.versions.node),
    ...runtime.checks,
    ...device,
    checkSiteFolder(home),
    ...(await within('disk', LIMIT_MS, async () => [await checkFreeDisk(home)])),
    ...(await within('shared memory', LIMIT_MS, checkSharedMemory)),
    checkPolicy(config),
    ...(await within('scans', options.all === true ? LONG_LIMIT_MS : LIMIT_MS, (signal) =>
      checkData(config.folder, { folders: options.data, all: options.all }, signal),
    )),
    ...(await checkLink(config, { measuresUpload: options.upload })),
  ];
  return { healthy: checks.every(({ status }) => status !== 'failed'), checks, runtime: runtime.facts };
}

/** What was found, and the verdict. */
export function describeDiagnosis({ checks, healthy }: Diagnosis): string {
  return [describeChecks(checks), healthy ? 'This computer can train.' : 'This computer cannot train yet.'].join('\n');
}
