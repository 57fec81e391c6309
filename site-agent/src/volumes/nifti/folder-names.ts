import { readdir, stat } from 'node:fs/promises';

/** A listing is trusted as long as its folder has not changed, and had not just been changed when it was made: clocks tick coarsely. */
const SETTLED_MS = 100;

interface Listing {
  readonly folder: string;
  readonly changedMs: number;
  readonly settled: boolean;
  readonly byLowerCase: ReadonlyMap<string, readonly string[]>;
}

// The last one, so that a folder of a hundred thousand files is not listed once for each of them.
let last: Promise<Listing> | undefined;

/** Names in a folder that differ from one in the case of letters at most; none when the folder cannot be read. */
export async function namesLike(folder: string, name: string): Promise<readonly string[]> {
  try {
    const changedMs = (await stat(folder)).mtimeMs;
    const known = await last?.catch(() => undefined);
    const isCurrent = known?.folder === folder && known.changedMs === changedMs && known.settled;
    const listing = isCurrent ? known : await (last = list(folder, changedMs));
    return listing.byLowerCase.get(name.toLowerCase()) ?? [];
  } catch {
    return [];
  }
}

async function list(folder: string, changedMs: number): Promise<Listing> {
  const settled = Date.now() - changedMs > SETTLED_MS;
  const byLowerCase = new Map<string, string[]>();
  for (const name of await readdir(folder)) {
    const same = byLowerCase.get(name.toLowerCase());
    if (same === undefined) byLowerCase.set(name.toLowerCase(), [name]);
    else same.push(name);
  }
  return { folder, changedMs, settled, byLowerCase };
}
