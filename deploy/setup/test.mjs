#!/usr/bin/env node
import { join } from 'node:path';
import { runCommand } from '../runtime/run-command.mjs';
import { runChecks } from './check.mjs';
import { ROOT } from './project.mjs';
import { setUpOrExit } from './set-up.mjs';

const HELP = `Sets up, checks (format, types, lint, import rules) and runs every test.

  npm test -- [--json-out FILE] [jest arguments]

  --json-out FILE   write jest's results there as JSON

Jest arguments narrow the tests: npm test -- shared/src/weights`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP);
  process.exit(0);
}
const jestArguments = takeJsonOut(args);
await setUpOrExit();
const failedChecks = await runChecks();
const tests = await runCommand(process.execPath, jestCommand(jestArguments), {
  cwd: ROOT,
  inherit: true,
  env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env },
});
if (failedChecks.length > 0) console.error(`check failed: ${failedChecks.join(', ')}`);
process.exitCode = tests.status !== 0 ? tests.status : failedChecks.length > 0 ? 1 : 0;

/** Replaces our --json-out FILE by jest's own two options. */
function takeJsonOut(given) {
  const at = given.indexOf('--json-out');
  if (at === -1) return given;
  const file = given[at + 1];
  if (file === undefined) {
    console.error(`ARGUMENT_INVALID: --json-out needs a file\n\n${HELP}`);
    process.exit(2);
  }
  return [...given.slice(0, at), ...given.slice(at + 2), '--json', `--outputFile=${file}`];
}

function jestCommand(rest) {
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return [...node, join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), ...rest];
}
