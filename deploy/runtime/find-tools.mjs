import { readFileSync } from 'node:fs';
import { runCommand } from './run-command.mjs';
import { SetupFailure } from './setup-failure.mjs';

const DEBIAN_INSTALL = 'On Debian or Ubuntu:';

/** Throws unless this is 64-bit Linux on an x86 processor with glibc: what the pinned library is built for. */
export function checkPlatform(facts = readPlatform()) {
  const here = `${facts.platform} ${facts.arch}`;
  if (facts.platform !== 'linux' || facts.arch !== 'x64') {
    throw new SetupFailure(
      `there is no TensorFlow runtime for ${here}`,
      'Site agents need Linux x86-64 with glibc 2.27 or newer; a coordinator runs anywhere and needs no runtime.',
    );
  }
  if (facts.glibc === undefined || olderThan(facts.glibc, '2.27')) {
    throw new SetupFailure(
      facts.glibc === undefined ? 'this Linux has no glibc (musl, as in Alpine)' : `glibc ${facts.glibc} is too old`,
      'Use a Linux x86-64 with glibc 2.27 or newer, such as Debian 11 or Ubuntu 20.04.',
    );
  }
  if (facts.avx === false) {
    throw new SetupFailure('this processor has no AVX instructions', 'TensorFlow needs a processor of 2011 or later.');
  }
}

/** The first Python 3 that has pip: CONSILIUM_PYTHON, else python3, else python on the PATH. */
export async function findPython(env = process.env) {
  const candidates = [env.CONSILIUM_PYTHON, 'python3', 'python'].filter((name) => name !== undefined && name !== '');
  let withoutPip;
  for (const program of candidates) {
    const version = await runCommand(program, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], { env });
    if (version.status !== 0 || olderThan(version.stdout.trim(), '3.8')) continue;
    const pip = await runCommand(program, ['-m', 'pip', '--version'], { env });
    if (pip.status === 0)
      return { program, version: version.stdout.trim(), pipVersion: /pip (\S+)/.exec(pip.stdout)?.[1] ?? '0' };
    withoutPip ??= program;
  }
  if (withoutPip !== undefined) {
    throw new SetupFailure(
      `${withoutPip} has no pip, which fetches the TensorFlow library`,
      `${DEBIAN_INSTALL} apt-get install python3-pip. Elsewhere: ${withoutPip} -m ensurepip --user.`,
    );
  }
  throw new SetupFailure(
    'no Python 3.8 or newer was found; its pip fetches the TensorFlow library',
    `${DEBIAN_INSTALL} apt-get install python3 python3-pip. A Python elsewhere is named by CONSILIUM_PYTHON=/path/to/python3.`,
  );
}

/** The first C++ compiler: CXX, else g++, clang++, c++ on the PATH. */
export async function findCompiler(env = process.env) {
  for (const program of [env.CXX, 'g++', 'clang++', 'c++']) {
    if (program === undefined || program === '') continue;
    const version = await runCommand(program, ['--version'], { env });
    if (version.status === 0) return { program, version: version.stdout.split('\n')[0]?.trim() ?? program };
  }
  throw new SetupFailure(
    'no C++ compiler was found (looked for g++, clang++ and c++); it builds the small bridge between Node and TensorFlow',
    `${DEBIAN_INSTALL} apt-get install g++. A compiler elsewhere is named by CXX=/path/to/g++.`,
  );
}

/** True when the first dotted version is lower than the second. */
export function olderThan(version, limit) {
  const [a, b] = [version, limit].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0);
  }
  return false;
}

function readPlatform() {
  const report = process.platform === 'linux' ? process.report?.getReport() : undefined;
  return { platform: process.platform, arch: process.arch, glibc: report?.header?.glibcVersionRuntime, avx: hasAvx() };
}

function hasAvx() {
  try {
    return /^flags\s*:.*\bavx\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return undefined; // not told: let the library itself complain
  }
}
