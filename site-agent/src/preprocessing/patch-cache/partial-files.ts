import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, newId } from '@consilium/shared/kernel';

const PATTERN = /\.(\d+)\.[A-Za-z0-9_-]+\.partial$/;
/** Process numbers are given out again: whatever is older than this was left behind by a process that is gone. */
const OLDEST_MS = 24 * 3600 * 1000;

/** A name beside the final one, for this process alone; it tells whose it is. */
export function partialName(name: string): string {
  return `${name}.${process.pid}.${newId('p')}.partial`;
}

/** Removes half-written files of processes that are no more. */
export async function sweepPartials(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => PATTERN.test(name));
  for (const name of names) {
    const owner = Number(PATTERN.exec(name)?.[1]);
    const facts = await stat(join(folder, name)).catch(() => undefined);
    if (facts === undefined) continue;
    if (!isAlive(owner) || Date.now() - facts.mtimeMs > OLDEST_MS) await rm(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // asks, does not end
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === 'EPERM';
  }
}
