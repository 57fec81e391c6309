#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { layRuntime } from './lay-runtime.mjs';
import { linkPackage } from './link-package.mjs';
import { describeFailure, SETUP_FAILED_EXIT_CODE, SetupFailure, toSetupFailure } from './setup-failure.mjs';

export const RUNTIME_OPTIONS = {
  variant: { type: 'string', default: 'auto' },
  from: { type: 'string' },
  force: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};

const HELP = `Lays the TensorFlow runtime of the site agent: downloads the library, checks it, compiles the bridge to Node.

  node deploy/runtime/setup-runtime.mjs [--variant cpu|gpu|auto] [--from PATH] [--force]

  --variant cpu|gpu|auto   auto (default) takes gpu when an NVIDIA card is visible
  --from PATH              without network: the wheel, a folder of wheels, or a runtime folder laid elsewhere
  --force                  lay it anew

It is kept in the user's cache folder (XDG_CACHE_HOME), or in CONSILIUM_RUNTIME_DIR when that is set: about 0.9 GB for cpu,
2 GB while it is being laid. Needs Python 3 with pip (CONSILIUM_PYTHON) and a C++ compiler (CXX).
Exit codes: 0 done, 2 wrong arguments, ${SETUP_FAILED_EXIT_CODE} set-up failed.
`;

/** Reads and checks the arguments. */
export function parseRuntimeArguments(args) {
  const { values } = parseArgs({ args, options: RUNTIME_OPTIONS, strict: true });
  if (!['cpu', 'gpu', 'auto'].includes(values.variant)) throw new Error(`--variant is cpu, gpu or auto, not "${values.variant}"`);
  return values;
}

/** Lays the runtime and links it into the npm package; a read-only package folder is told, not fatal. */
export async function setUpRuntime(values, report) {
  const result = await layRuntime({ ...values, report });
  try {
    linkPackage(result.folder);
  } catch (error) {
    if (error instanceof SetupFailure) throw error;
    report(
      `  the npm package could not be linked (${error.message}): name the folder with CONSILIUM_RUNTIME_DIR=${result.folder}`,
    );
  }
  return result;
}

async function main() {
  let values;
  try {
    values = parseRuntimeArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`ARGUMENT_INVALID: ${error.message}\n\n${HELP}`);
    return 2;
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  try {
    const result = await setUpRuntime(values, (line) => console.log(line));
    console.log(`TensorFlow runtime (${result.variant}) ${result.laid ? 'laid' : 'is there already'}: ${result.folder}`);
    return 0;
  } catch (error) {
    console.error(describeFailure(toSetupFailure(error)));
    return SETUP_FAILED_EXIT_CODE;
  }
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) process.exitCode = await main();
