import { parseRuntimeArguments, setUpRuntime } from '../runtime/setup-runtime.mjs';
import { chooseVariant, isReady } from '../runtime/lay-runtime.mjs';
import { isLinked } from '../runtime/link-package.mjs';
import { runtimeFolder } from '../runtime/runtime-folder.mjs';
import { describeFailure, SETUP_FAILED_EXIT_CODE, toSetupFailure } from '../runtime/setup-failure.mjs';
import { buildSources, sourcesAreBuilt } from './build-sources.mjs';
import { checkNode } from './check-node.mjs';
import { installPackages, packagesAreInstalled } from './install-packages.mjs';

/**
 * Brings the checkout to where it can run: packages, runtime, build. Each step is skipped when it is up to date.
 * @param {ReturnType<typeof parseRuntimeArguments>} [runtime]
 * @param {(line: string) => void} [report]
 * @returns {Promise<boolean>} true when there was something to do
 */
export async function setUp(runtime = parseRuntimeArguments([]), report = console.log) {
  checkNode();
  const runtimeIsReady = () => {
    const variant = chooseVariant(runtime);
    const folder = runtimeFolder(variant);
    return !runtime.force && isReady(folder, variant) && isLinked(folder);
  };
  const steps = [
    ['npm packages', packagesAreInstalled, () => installPackages(report)],
    ['TensorFlow runtime', runtimeIsReady, () => setUpRuntime(runtime, report)],
    ['build', sourcesAreBuilt, () => buildSources()],
  ];
  let worked = false;
  for (const [name, upToDate, action] of steps) {
    if (upToDate()) continue;
    const started = Date.now();
    if (!worked && name !== 'build') report('Setting up (the first time takes a few minutes)');
    worked = true;
    report(`${name} …`);
    await action();
    report(`${name}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
  return worked;
}

/** The same for commands: prints a failure in two lines and ends with its exit code. */
export async function setUpOrExit(runtime, report) {
  try {
    return await setUp(runtime, report);
  } catch (error) {
    console.error(describeFailure(toSetupFailure(error)));
    process.exit(SETUP_FAILED_EXIT_CODE);
  }
}
