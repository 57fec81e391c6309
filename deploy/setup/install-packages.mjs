import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../runtime/run-command.mjs';
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

const NETWORK_WORDS = /EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONN|ENETUNREACH|ERR_SOCKET|EINTEGRITY|network|socket/i;

/** Installs exactly what package-lock.json names, without install scripts; a flaky network gets two more tries. */
export async function installPackages(report, pausesMs = [2000, 10_000]) {
  for (let attempt = 0; ; attempt++) {
    const result = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
    if (result.status === 0) return;
    const pause = pausesMs[attempt];
    if (pause === undefined || !NETWORK_WORDS.test(result.stderr)) throw explain(result);
    report(`  no answer from the network, trying again in ${pause / 1000} s`);
    await sleep(pause);
  }
}

function explain(result) {
  const words = npmWords(result.stderr);
  if (result.status === -1) {
    return new SetupFailure('npm was not found', 'It comes with Node: install Node again, with its npm.');
  }
  if (/ENOSPC|no space left/i.test(result.stderr)) {
    return new SetupFailure('the disk is full', 'Free about 1 GB and run the command again.');
  }
  if (NETWORK_WORDS.test(result.stderr)) {
    return new SetupFailure(
      'the npm registry cannot be reached',
      `Check the network and npm's proxy settings. npm said: ${words}`,
    );
  }
  return new SetupFailure('the npm packages were not installed', `npm said: ${words}`);
}

/** npm's complaint without its usage text and the name of its log. */
function npmWords(stderr) {
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim());
  return lines
    .filter((line) => line !== '' && !/^npm warn|complete log/.test(line))
    .slice(0, 4)
    .join(' | ')
    .slice(0, 600);
}

/** The npm that started us, else the one on the PATH. */
function runNpm(args) {
  const script = process.env.npm_execpath;
  const own = script !== undefined && script.endsWith('npm-cli.js') && existsSync(script);
  return own ? runCommand(process.execPath, [script, ...args], { cwd: ROOT }) : runCommand('npm', args, { cwd: ROOT });
}
