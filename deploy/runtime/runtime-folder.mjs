import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SetupFailure } from './setup-failure.mjs';
import { TENSORFLOW_VERSION } from './runtime-pins.mjs';

export const ADDON_FILE = 'tfjs_binding.node';

/**
 * Where the runtime of a variant lies: CONSILIUM_RUNTIME_DIR itself when set, else a folder of the user's cache.
 * @param {'cpu' | 'gpu'} variant
 */
export function runtimeFolder(variant, env = process.env) {
  if (env.CONSILIUM_RUNTIME_DIR) return resolve(env.CONSILIUM_RUNTIME_DIR);
  const cache = env.XDG_CACHE_HOME ? resolve(env.XDG_CACHE_HOME) : join(homedir(), '.cache');
  return join(cache, 'consilium', 'runtime', `tensorflow-${variant}-${TENSORFLOW_VERSION}-${process.arch}`);
}

/** The record of a finished runtime of this release, or undefined. */
export function readRecord(folder) {
  try {
    const record = JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8'));
    const usable = record.formatVersion === 1 && record.version === TENSORFLOW_VERSION && existsSync(join(folder, ADDON_FILE));
    return usable ? record : undefined;
  } catch {
    return undefined;
  }
}

/** "gpu" when an NVIDIA card is visible to this computer, else "cpu". */
export function detectVariant(env = process.env) {
  if (existsSync('/proc/driver/nvidia/gpus') && readdirSync('/proc/driver/nvidia/gpus').length > 0) return 'gpu';
  try {
    const cards = execFileSync('nvidia-smi', ['--list-gpus'], {
      env,
      timeout: 10_000,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /^GPU \d+/m.test(cards) ? 'gpu' : 'cpu';
  } catch {
    return 'cpu';
  }
}

/** Throws when the folder's disk has less room than set-up needs at its peak. */
export function checkFreeSpace(folder, neededBytes, freeBytesOf = freeBytes) {
  mkdirSync(folder, { recursive: true });
  const free = freeBytesOf(folder);
  if (free >= neededBytes) return;
  const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new SetupFailure(
    `not enough room on the disk of ${folder}: ${gigabytes(free)} free, set-up needs ${gigabytes(neededBytes)} for a while`,
    'Free some space, or choose another disk with CONSILIUM_RUNTIME_DIR=/some/folder.',
  );
}

function freeBytes(folder) {
  const disk = statfsSync(folder);
  return disk.bavail * disk.bsize;
}
