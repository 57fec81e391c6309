import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { olderThan } from './find-tools.mjs';
import { lastWords, runCommand } from './run-command.mjs';
import { diskFull, SetupFailure } from './setup-failure.mjs';

const NETWORK_WORDS =
  /NewConnectionError|name resolution|timed? ?out|ConnectionError|ProxyError|SSLError|CERTIFICATE|Max retries|IncompleteRead|Connection reset|Connection refused|ProtocolError|unreachable|Connection broken|HTTP error 5\d\d/i;

/**
 * Brings one pinned wheel into a folder and checks its digest. A wheel that is there already and right is kept.
 * Network trouble is tried again with growing pauses.
 * @param {import('./runtime-pins.mjs').Wheel} wheel
 * @param {{ folder: string, python: { program: string, pipVersion: string }, report: (line: string) => void, env?: NodeJS.ProcessEnv, pausesMs?: number[] }} means
 * @returns {Promise<string>} the wheel's path
 */
export async function fetchWheel(wheel, means) {
  const path = join(means.folder, wheel.file);
  if (existsSync(path) && (await sha256Of(path)) === wheel.sha256) return path;
  const partial = join(means.folder, 'partial');
  const pauses = means.pausesMs ?? [1000, 4000];
  for (let attempt = 0; ; attempt++) {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    const result = await downloadOnce(wheel, partial, means);
    if (result.status === 0) break;
    const pause = pauses[attempt];
    if (pause === undefined || !NETWORK_WORDS.test(result.stderr)) throw explainDownload(wheel, result);
    means.report(`  no answer from the network, trying again in ${pause / 1000} s`);
    await sleep(pause);
  }
  await takeChecked(wheel, join(partial, wheel.file), path);
  rmSync(partial, { recursive: true, force: true });
  return path;
}

/** Copies a wheel that the user named (for computers without network), checking its digest all the same. */
export async function adoptWheel(wheel, source, folder) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, wheel.file);
  copyFileSync(source, `${path}.copy`);
  await takeChecked(wheel, `${path}.copy`, path);
  return path;
}

async function takeChecked(wheel, from, to) {
  if (!existsSync(from)) {
    throw new SetupFailure(
      `pip brought another file than ${wheel.file}`,
      'Name a package index that carries the original wheels.',
    );
  }
  const found = await sha256Of(from);
  if (found !== wheel.sha256) {
    rmSync(from, { force: true });
    throw new SetupFailure(
      `${wheel.file} is not the file it should be: its SHA-256 begins with ${found.slice(0, 12)}, expected ${wheel.sha256.slice(0, 12)}`,
      'It was deleted. Try again; if it happens twice, the package index or a proxy alters files: ask whoever runs it.',
    );
  }
  renameSync(from, to);
}

async function downloadOnce(wheel, partial, means) {
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--no-cache-dir',
    '--progress-bar',
    'off',
    '--retries',
    '1',
  ];
  if (!olderThan(means.python.pipVersion, '25.1')) args.push('--resume-retries', '5');
  for (const platform of ['manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'])
    args.push('--platform', platform);
  args.push('--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--abi', 'none');
  args.push('--dest', partial, `${wheel.package}==${wheel.version}`);
  const timer = setInterval(() => reportProgress(partial, wheel, means.report), 3000);
  try {
    return await runCommand(means.python.program, args, { env: { ...(means.env ?? process.env), TMPDIR: partial } });
  } finally {
    clearInterval(timer);
  }
}

function reportProgress(partial, wheel, report) {
  const largest = Math.max(0, ...filesUnder(partial).map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0));
  if (largest > 1e6) report(`  ${wheel.package} ${wheel.version}: ${Math.round(largest / 1e6)} MB so far`);
}

function filesUnder(folder) {
  try {
    return readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
  } catch {
    return []; // pip is moving its folders about
  }
}

function explainDownload(wheel, result) {
  if (/No space left on device|Errno 28/.test(result.stderr)) return diskFull(result);
  if (NETWORK_WORDS.test(result.stderr)) {
    return new SetupFailure(
      `the package index cannot be reached, so ${wheel.package} ${wheel.version} was not downloaded`,
      `Check the network and pip's proxy settings and try again, or bring ${wheel.file} on a disk and run: npm run setup -- --from /path/to/it. pip said: ${lastWords(result, 1)}`,
    );
  }
  return new SetupFailure(
    `pip did not find ${wheel.package} ${wheel.version}`,
    `Point pip at an index that carries it (PIP_INDEX_URL), or bring ${wheel.file} on a disk and run: npm run setup -- --from /path/to/it. pip said: ${lastWords(result, 2)}`,
  );
}

/** SHA-256 of a file in hexadecimal, read in chunks. */
export async function sha256Of(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
