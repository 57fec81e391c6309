import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, FederationError } from '@consilium/shared/kernel';
import { partialName, sweepPartials } from '../../preprocessing/patch-cache/partial-files.js';

/** Hidden, so that the index does not take it for a scan. */
const STATE_FILE = '.pulled.json';
const SUFFIX = '.dcm';

const stateSchema = z.object({
  version: z.literal(1),
  /** All that the archive listed is here, but for what is damaged there. */
  complete: z.boolean(),
  /** Instances that the archive listed. */
  listed: z.int().min(0),
  /** Instances that it counted then, which need not be the same. */
  counted: z.int().min(0).optional(),
  /** Salted hashes of instances that arrive damaged however often they are asked for. */
  damaged: z.array(z.string()),
  /** Of all files together, when it was complete. */
  bytes: z.int().min(0),
  /** Salted hashes. */
  patients: z.array(z.string()),
});
export type PulledState = z.infer<typeof stateSchema>;

export const NOTHING_PULLED: PulledState = { version: 1, complete: false, listed: 0, damaged: [], bytes: 0, patients: [] };

export interface PulledFile {
  /** The instance's salted hash. */
  readonly instance: string;
  readonly path: string;
  readonly bytes: number;
}

/**
 * Where pulled series lie: a folder for each, named by its salted hash, in it a file for each instance, named likewise, and a
 * small hidden file that says how far it is. Files appear whole or not at all. All of it is readable by its owner only.
 */
export class PulledFolder {
  constructor(readonly root: string) {}

  pathOf(series: string): string {
    return join(this.root, series);
  }

  fileOf(series: string, instance: string): string {
    return join(this.root, series, `${instance}${SUFFIX}`);
  }

  /** A new name in the series' folder for what is still arriving; hidden from the index, and swept when its process is gone. */
  partialOf(series: string): string {
    return join(this.root, series, partialName('.arriving'));
  }

  /** Makes the folder, for its owner only. */
  async open(): Promise<void> {
    await storing(() => mkdir(this.root, { recursive: true, mode: 0o700 }));
  }

  /** Clears what processes that died have left half-written in any series. */
  async sweep(): Promise<void> {
    for (const series of await this.list()) await storing(() => sweepPartials(this.pathOf(series)));
  }

  /** Makes the folder of a series and clears what processes that died have left in it. */
  async openSeries(series: string): Promise<void> {
    await this.open();
    await storing(async () => {
      await mkdir(this.pathOf(series), { recursive: true, mode: 0o700 });
      await sweepPartials(this.pathOf(series));
    });
  }

  /** Salted hashes of all series that are here, whole or in part. */
  async list(): Promise<string[]> {
    const entries = await readdir(this.root, { withFileTypes: true }).catch(ifAbsent([]));
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  async files(series: string): Promise<PulledFile[]> {
    const names = await readdir(this.pathOf(series)).catch(ifAbsent<string[]>([]));
    const pulled = names.filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'));
    return Promise.all(
      pulled.map(async (name) => {
        const path = join(this.pathOf(series), name);
        return { instance: name.slice(0, -SUFFIX.length), path, bytes: (await stat(path)).size };
      }),
    );
  }

  /** How far a series is; as if nothing had come when the file is absent or damaged. */
  async state(series: string): Promise<PulledState> {
    const text = await readFile(join(this.pathOf(series), STATE_FILE), 'utf8').catch(ifAbsent(''));
    try {
      return stateSchema.parse(JSON.parse(text));
    } catch {
      return NOTHING_PULLED;
    }
  }

  async saveState(series: string, state: PulledState): Promise<void> {
    const partial = this.partialOf(series);
    await storing(async () => {
      await writeFile(partial, JSON.stringify(state), { mode: 0o600, flush: true });
      await rename(partial, join(this.pathOf(series), STATE_FILE));
    });
  }

  async remove(series: string): Promise<void> {
    await storing(() => rm(this.pathOf(series), { recursive: true, force: true }));
  }

  /** DISK_FULL when less than this is left; the site's own database needs room as well. */
  async requireSpace(bytes: number): Promise<void> {
    const { bavail, bsize } = await storing(() => statfs(this.root));
    if (bavail * bsize >= bytes) return;
    throw new FederationError('DISK_FULL', `the disk of ${this.root} is nearly full`, {
      remedy: 'Free some space; work resumes by itself.',
    });
  }
}

/** What goes wrong with the disk, as DISK_FULL or STORAGE_FAILED. */
export async function storing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    const error = FederationError.from(thrown, 'STORAGE_FAILED');
    if (error.code !== 'STORAGE_FAILED') throw error;
    throw new FederationError(
      'STORAGE_FAILED',
      `the folder of pulled scans cannot be written (${errnoOf(thrown) ?? 'unknown'})`,
      {
        cause: thrown,
        retryable: false,
        remedy: 'Check the folder given by --home, its permissions and its disk.',
      },
    );
  }
}

function ifAbsent<T>(value: T): (thrown: unknown) => T {
  return (thrown) => {
    if (errnoOf(thrown) === 'ENOENT') return value;
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  };
}
