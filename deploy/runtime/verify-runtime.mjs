import { join } from 'node:path';
import { lastWords, runCommand } from './run-command.mjs';
import { ADDON_FILE } from './runtime-folder.mjs';
import { TENSORFLOW_VERSION } from './runtime-pins.mjs';
import { SetupFailure } from './setup-failure.mjs';

/** Loads the addon in a process of its own and convolves eight ones with eight ones. */
const SCRIPT = `
const binding = require(process.argv[1]);
const ones = (shape) => binding.createTensor(shape, 1, new Float32Array(8).fill(1));
const [output] = binding.executeOp('Conv3D', [
  { name: 'T', type: 4, value: 1 },
  { name: 'strides', type: 1, value: [1, 1, 1, 1, 1] },
  { name: 'padding', type: 0, value: 'VALID' },
], [ones([1, 2, 2, 2, 1]), ones([2, 2, 2, 1, 1])], 1);
console.log('ANSWER ' + JSON.stringify({ version: binding.TF_Version, sum: binding.tensorDataSync(output.id)[0], gpu: binding.isUsingGpuDevice() }));
`;

/**
 * Throws unless the runtime in the folder loads and computes.
 * @returns {Promise<{ version: string, gpu: boolean }>}
 */
export async function verifyRuntime(folder, libraryFolders = []) {
  const libraryPath = [...libraryFolders.map((name) => join(folder, name)), process.env.LD_LIBRARY_PATH]
    .filter(Boolean)
    .join(':');
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', ...(libraryPath === '' ? {} : { LD_LIBRARY_PATH: libraryPath }) };
  const result = await runCommand(process.execPath, ['-e', SCRIPT, join(folder, ADDON_FILE)], { env });
  const answer = /^ANSWER (.*)$/m.exec(result.stdout)?.[1];
  const found = answer === undefined ? undefined : JSON.parse(answer);
  if (found?.version === TENSORFLOW_VERSION && found.sum === 8) return found;
  throw new SetupFailure(
    `the runtime was laid but does not work (${found === undefined ? lastWords(result, 2) : answer})`,
    'Run set-up again with --force; if it stays, report it with the output of "node --version" and "uname -a".',
  );
}
