import { existsSync, readdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { lastWords, runCommand } from './run-command.mjs';
import { ADDON_FILE } from './runtime-folder.mjs';
import { diskFull, SetupFailure } from './setup-failure.mjs';

const PACKAGE = '@tensorflow/tfjs-node-gpu';

/** Folder of an installed npm package; clear words when packages are not installed yet. */
export function packageFolder(name) {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch (error) {
    throw new SetupFailure(
      `the npm package ${name} is not installed`,
      'Run "npm run setup", which installs the packages first.',
      error,
    );
  }
}

/**
 * Compiles the tfjs package's addon against the unpacked library: N-API only, so one build serves every Node release, and
 * Node's own headers come from the package node-api-headers instead of a download.
 */
export async function compileAddon(folder, compiler) {
  const binding = join(packageFolder(PACKAGE), 'binding');
  const headers = join(packageFolder('node-api-headers'), 'include');
  const sources = readdirSync(binding).filter((name) => name.endsWith('.cc'));
  const output = join(folder, ADDON_FILE);
  const result = await runCommand(compiler.program, [
    ...['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-I', headers, '-I', join(folder, 'include'), '-I', binding],
    ...sources.map((name) => join(binding, name)),
    ...['-o', `${output}.new`, `-L${join(folder, 'lib')}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
    '-Wl,-rpath,$ORIGIN/lib', // relative, so that the folder can be moved and copied to other computers
  ]);
  if (result.status !== 0 || !existsSync(`${output}.new`)) {
    if (/No space left on device/.test(result.stderr)) throw diskFull(result);
    throw new SetupFailure(
      `${compiler.program} could not build the bridge to TensorFlow (${lastWords(result, 2)})`,
      'A compiler with C++17 is needed: g++ 9 or clang++ 10, or newer, with its standard library headers.',
    );
  }
  renameSync(`${output}.new`, output);
}
