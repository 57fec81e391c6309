import { Command } from 'commander';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { runtimeSearch } from '../config/runtime-search.js';
import { checkNodejsVersion, describeChecks, exitCodeOfChecks } from '@consilium/shared/terminal';
import type { RuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { Check } from '@consilium/shared/terminal';
import { checkFreeDisk, checkPolicy, checkRuntime, checkSiteFolder } from './doctor-checks.js';
import { checkLink } from './doctor-link.js';
import { checkDevice } from './doctor-gpu.js';
import { probeRuntime } from './runtime-probe.js';

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
    .description('show what TensorFlow found here, its speed, and whether folder, disk and coordinator are fine')
    .option('--json', 'print everything as JSON')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<{ home?: string; json?: boolean }>();
      const diagnosis = await diagnose(options.home ?? defaultHome());
      console.log(options.json ? JSON.stringify(diagnosis, null, 2) : describeDiagnosis(diagnosis));
      process.exitCode = exitCodeOfChecks(diagnosis.checks);
    });
}

/** Runs all checks; takes a second or two, for TensorFlow is loaded and timed. */
export async function diagnose(home: string, probe = probeRuntime): Promise<Diagnosis> {
  const runtime = await checkRuntime(runtimeSearch(), probe);
  const config = loadAgentConfig({ home });
  const device = runtime.facts === undefined ? [] : [checkDevice(config.device, config.tf32, runtime.facts.gpu)];
  const checks = [
    checkNodejsVersion(process.versions.node),
    ...runtime.checks,
    ...device,
    checkSiteFolder(home),
    checkFreeDisk(home),
    checkPolicy(config),
    ...(await checkLink(config)),
  ];
  return { healthy: checks.every(({ status }) => status !== 'failed'), checks, runtime: runtime.facts };
}

/** What was found, and the verdict. */
export function describeDiagnosis({ checks, healthy }: Diagnosis): string {
  return [describeChecks(checks), healthy ? 'This computer can train.' : 'This computer cannot train yet.'].join('\n');
}
