import { Command } from 'commander';
import { ERROR_CODES, KIND_RULES } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { runtimeSearch } from '../config/runtime-search.js';
import { formatTable } from '@consilium/shared/terminal';
import type { RuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { DoctorCheck } from './doctor-check.js';
import { checkFreeDisk, checkNodejsVersion, checkPolicy, checkRuntime, checkSiteFolder } from './doctor-checks.js';
import { checkLink } from './doctor-link.js';
import { checkDevice } from './doctor-gpu.js';
import { probeRuntime } from './runtime-probe.js';

/** Everything the doctor found; `--json` prints it as it is. */
export interface Diagnosis {
  readonly healthy: boolean;
  readonly checks: readonly DoctorCheck[];
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
      process.exitCode = exitCodeOf(diagnosis);
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

/** A table, and below it what to do about each line that is not ok. */
export function describeDiagnosis({ checks, healthy }: Diagnosis): string {
  const marks = { ok: '✓', warning: '!', failed: '✗' };
  const table = formatTable(
    ['', 'what', 'found'],
    checks.map((check) => [marks[check.status], check.name, check.finding]),
  );
  const advice = checks
    .filter((check) => check.remedy !== undefined)
    .map((check) => `${marks[check.status]} ${check.name}: ${check.remedy}`);
  return [table, '', ...advice, healthy ? 'This computer can train.' : 'This computer cannot train yet.'].join('\n');
}

function exitCodeOf({ checks }: Diagnosis): number {
  const failed = checks.find(({ status }) => status === 'failed');
  return failed === undefined ? 0 : KIND_RULES[ERROR_CODES[failed.code ?? 'INVARIANT']].exitCode;
}
