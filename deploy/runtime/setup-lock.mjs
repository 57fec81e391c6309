import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupFailure } from './setup-failure.mjs';

const POLL_MS = 500;

/**
 * Holds the lock file while the action runs, so that two set-ups never lay the same folder at once. Waits for a living
 * holder; takes over from a dead one (killed, or before a restart of the computer).
 */
export async function withSetupLock(path, report, action, patienceMs = 20 * 60_000) {
  mkdirSync(dirname(path), { recursive: true });
  const deadline = Date.now() + patienceMs;
  let told = false;
  while (!tryTake(path)) {
    const holder = readHolder(path);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() > deadline) {
      throw new SetupFailure(
        `another set-up (process ${holder?.pid}) does not come to an end`,
        `Stop it, or delete ${path}, and try again.`,
      );
    }
    if (!told) report(`  another set-up is under way (process ${holder?.pid}), waiting for it`);
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await action();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function tryTake(path) {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, JSON.stringify({ pid: process.pid, started: startedAt(process.pid) }));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined while the other process has made the file but not yet written it. */
function readHolder(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A process number alone could have been given to another program since: its start time tells them apart. */
function isAlive(holder) {
  const started = startedAt(holder.pid);
  return started !== undefined && started === holder.started;
}

function startedAt(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}
