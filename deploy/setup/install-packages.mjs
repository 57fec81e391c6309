import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastWords, runCommand } from '../runtime/run-command.mjs';
import { SetupFailure } from '../runtime/setup-failure.mjs';
import { ROOT } from './project.mjs';

/**
 * True when node_modules holds what package-lock.json names. npm writes its own list as the last act of an installation,
 * so one that was interrupted counts as none.
 */
export function packagesAreInstalled() {
  const wanted = readPackages('package-lock.json');
  const present = readPackages(join('node_modules', '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, link, optional, devOptional }]) => {
    if (!path.includes('node_modules/') || optional || devOptional) return true;
    return link === true ? present[path]?.link === true : present[path]?.version === version;
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Installs exactly what package-lock.json names, without install scripts; one second try for a flaky network. */
export async function installPackages(report) {
  let result = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  if (result.status !== 0) {
    report(`  npm said: ${lastWords(result, 1)}`);
    report('  trying once more');
    result = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline']);
  }
  if (result.status !== 0) throw explain(result);
}

function explain(result) {
  const words = lastWords(result, 4);
  if (result.status === -1) {
    return new SetupFailure('npm was not found', 'It comes with Node: install Node again, with its npm.');
  }
  if (/ENOSPC|no space left/i.test(words)) {
    return new SetupFailure('the disk is full', 'Free about 1 GB and run the command again.');
  }
  if (/EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNRE|ENETUNREACH|network/i.test(words)) {
    return new SetupFailure(
      'the npm registry cannot be reached',
      `Check the network and npm's proxy settings. npm said: ${words}`,
    );
  }
  return new SetupFailure('the npm packages were not installed', `npm said: ${words}`);
}

/** The npm that started us, else the one on the PATH. */
function runNpm(args) {
  const script = process.env.npm_execpath;
  const own = script !== undefined && script.endsWith('npm-cli.js') && existsSync(script);
  return own ? runCommand(process.execPath, [script, ...args], { cwd: ROOT }) : runCommand('npm', args, { cwd: ROOT });
}
