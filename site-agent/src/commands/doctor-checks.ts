import { accessSync, constants, existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FederationError, formatBytes } from '@consilium/shared/kernel';
import { type Bfloat16Support, bfloat16Support } from '../engine/devices/bfloat16-support.js';
import type { RuntimeSearch } from '../engine/runtime/locate-runtime.js';
import type { RuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { AgentConfig } from '../config/agent-config.js';
import { PolicyFile } from '../policy/policy-file.js';
import { describePolicy, policyView } from '../policy/policy-view.js';
import type { Check } from '@consilium/shared/terminal';
import { checkGpu } from './doctor-gpu.js';
import { probeRuntime } from './runtime-probe.js';

const LITTLE_DISK_BYTES = 5e9;
const TOO_LITTLE_DISK_BYTES = 5e8;
/** A prepared volume is a folder of several files. */
const FEW_FILES = 10_000;
/** On the processor; the line on the device says whether a GPU is taken instead. */
const BFLOAT16_WORDS: Readonly<Record<Bfloat16Support, string>> = {
  fast: 'on the processor, faster than 32-bit floats',
  slow: 'on the processor, slower than 32-bit floats',
  poor: 'not on this processor (no AVX-512, or avx512_bf16 without AMX): it trains plans of bfloat16 in 32-bit floats',
};

/** Loads TensorFlow in a process of its own and describes it, one line a fact; a missing runtime is one failed line. */
export async function checkRuntime(
  search: RuntimeSearch,
  probe: typeof probeRuntime = probeRuntime,
): Promise<{ checks: Check[]; facts?: RuntimeFacts }> {
  try {
    const facts = await probe(search);
    return { checks: describeFacts(facts), facts };
  } catch (error) {
    const { message, remedy, code } = FederationError.from(error, 'RUNTIME_MISSING');
    return { checks: [{ name: 'TensorFlow', status: 'failed', finding: message, remedy, code }] };
  }
}

function describeFacts(facts: RuntimeFacts): Check[] {
  const fact = (name: string, finding: string): Check => ({ name, status: 'ok', finding });
  const seconds = facts.convolution.seconds;
  return [
    fact('TensorFlow', `${facts.version}, ${facts.variant} variant, loaded in ${facts.loadSeconds.toFixed(1)} s`),
    fact('runtime folder', `${facts.folder} (${facts.origin})`),
    fact('processor', `${facts.cpuModel.trim()}, ${facts.cores} cores`),
    fact('memory', `${formatBytes(facts.memoryBytes)}, of which this check took ${formatBytes(facts.residentBytes)}`),
    oneDnnCheck(facts),
    fact('bfloat16', BFLOAT16_WORDS[bfloat16Support({ kind: 'cpu' })]),
    ...checkGpu(facts.gpu),
    fact(
      'convolution',
      `${(seconds * 1000).toFixed(1)} ms, ${facts.convolution.gflops.toFixed(0)} GFLOPS (3×3×3, 16 channels, 64×64×32)`,
    ),
  ];
}

function oneDnnCheck({ oneDnn }: RuntimeFacts): Check {
  if (oneDnn) return { name: 'oneDNN', status: 'ok', finding: 'on' };
  const remedy =
    'This TensorFlow lacks it, and training on the processor is several times slower: run "npm run setup -- --force".';
  return { name: 'oneDNN', status: 'warning', finding: 'off', remedy };
}

/** Whether the agent can keep its state in the folder, which it makes at the first start. */
export function checkSiteFolder(home: string): Check {
  const folder = resolve(home);
  const existing = nearestExisting(folder);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return { name: 'site folder', status: 'ok', finding: existing === folder ? folder : `${folder} (made at the first start)` };
  } catch {
    const remedy = 'Change its owner or name another folder with --home.';
    return { name: 'site folder', status: 'failed', finding: `${existing} may not be written`, remedy, code: 'FOLDER_MISSING' };
  }
}

export interface DiskFacts {
  readonly freeBytes: number;
  /** Files that can still be made; undefined where the file system has no such limit. */
  readonly freeFiles: number | undefined;
}

/** Room for prepared volumes, models and checkpoints on the folder's disk. */
export async function checkFreeDisk(home: string): Promise<Check> {
  const disk = await statfs(nearestExisting(resolve(home)));
  return judgeDisk({ freeBytes: disk.bavail * disk.bsize, freeFiles: disk.files === 0 ? undefined : disk.ffree });
}

export function judgeDisk({ freeBytes, freeFiles }: DiskFacts): Check {
  const name = 'disk';
  const finding = `${formatBytes(freeBytes)} free`;
  if (freeFiles !== undefined && freeFiles < FEW_FILES) {
    const remedy =
      'The disk can hold no more files, whatever its size: delete small ones, or name a folder on another disk with --home.';
    return { name, status: 'warning', finding: `${finding}, but room for ${freeFiles} files only`, remedy };
  }
  if (freeBytes >= LITTLE_DISK_BYTES) return { name, status: 'ok', finding };
  const remedy =
    'Prepared volumes take about the size of the scans: free some space or name a folder on another disk with --home.';
  if (freeBytes >= TOO_LITTLE_DISK_BYTES) return { name, status: 'warning', finding, remedy };
  return { name, status: 'failed', finding, remedy, code: 'DISK_FULL' };
}

/** Which rules of the site's own hold; a file that does not read allows nothing. */
export function checkPolicy({ policyFile, policyIsNamed }: Pick<AgentConfig, 'policyFile' | 'policyIsNamed'>): Check {
  const state = new PolicyFile(policyFile, policyIsNamed).read();
  const line = { name: 'policy', finding: describePolicy(policyView(state)) };
  if (state.kind !== 'broken') return { ...line, status: 'ok' };
  return { ...line, status: 'failed', remedy: state.error.remedy, code: 'CONFIG_INVALID' };
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}
