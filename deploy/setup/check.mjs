#!/usr/bin/env node
import { join } from 'node:path';
import { runCommand } from '../runtime/run-command.mjs';
import { ROOT } from './project.mjs';
import { setUpOrExit } from './set-up.mjs';

const bin = (path, ...args) => [join(ROOT, 'node_modules', path), ...args];

/** Each check in turn; all run even when one fails, so that one look shows everything. */
const CHECKS = [
  ['format', bin('prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.')],
  ['types', bin('typescript/bin/tsc', '-b'), bin('typescript/bin/tsc', '-p', 'tsconfig.spec.json')],
  ['lint', bin('eslint/bin/eslint.js', '--max-warnings', '0', '.')],
  [
    'imports',
    bin(
      'dependency-cruiser/bin/dependency-cruise.mjs',
      '--config',
      '.dependency-cruiser.cjs',
      ...['shared', 'coordinator', 'site-agent', 'deploy'].map((name) => `${name}/src`),
    ),
  ],
];

/** Runs the checks and prints one line each; returns the names of those that failed. */
export async function runChecks(report = console.log) {
  const failed = [];
  for (const [name, ...commands] of CHECKS) {
    const started = Date.now();
    const complaint = await firstComplaint(commands);
    report(`${name.padEnd(8)} ${complaint === undefined ? 'ok' : 'FAILED'}  ${((Date.now() - started) / 1000).toFixed(1)} s`);
    if (complaint === undefined) continue;
    failed.push(name);
    report(complaint.replace(/^/gm, '  '));
  }
  return failed;
}

async function firstComplaint(commands) {
  for (const command of commands) {
    const result = await runCommand(process.execPath, command, { cwd: ROOT });
    if (result.status !== 0) return `${result.stdout}${result.stderr}`.trimEnd().slice(-20_000);
  }
  return undefined;
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  await setUpOrExit();
  const failed = await runChecks();
  if (failed.length > 0) console.error(`check failed: ${failed.join(', ')}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
