import { availableParallelism } from 'node:os';
import type { CollectionIndex } from './collection-index.js';
import type { CheckTask } from './check-scan.js';
import { CheckThreads } from './check-threads.js';
import { MemoryGate } from './memory-gate.js';
import type { Frames, ScanCheck, ScanEntry } from './scan-entry.js';
import type { SiteHashes } from './site-hashes.js';

const MOST_THREADS = 8;
/** For all scans that are read at a time; a larger one is read alone. */
const BUDGET_BYTES = 600 * 2 ** 20;
/** Of a voxel while it is read: as stored (up to 8 bytes), as float32, and what measuring it takes. */
const BYTES_PER_VOXEL = 12;

export interface VoxelPassOptions {
  readonly index: CollectionIndex;
  readonly hashes: SiteHashes;
  /** Ids of the scans to read. */
  readonly scans: readonly number[];
  readonly frames: Frames;
  readonly threads: number | undefined;
  readonly onProgress?: ((done: number, total: number, path: string) => void) | undefined;
}

export interface VoxelPassSummary {
  readonly checked: number;
  /** Scans whose files changed or vanished before their voxels had been read. */
  readonly changed: number;
}

/**
 * The second pass: all voxels of each scan once, in parallel, within a memory budget. Every scan is in the index as soon as it
 * has been read, so that a process that ends early is continued by the next.
 */
export async function checkVoxels(options: VoxelPassOptions): Promise<VoxelPassSummary> {
  const { scans, threads: wanted = Math.min(availableParallelism(), MOST_THREADS) } = options;
  const threads = new CheckThreads(Math.max(1, Math.min(wanted, scans.length)));
  const pass = new VoxelPass(options, threads);
  try {
    await pass.check();
    return pass;
  } finally {
    await threads.close();
  }
}

class VoxelPass implements VoxelPassSummary {
  checked = 0;
  changed = 0;
  private failure: unknown;

  constructor(
    private readonly options: VoxelPassOptions,
    private readonly threads: CheckThreads,
  ) {}

  async check(): Promise<void> {
    const gate = new MemoryGate(BUDGET_BYTES, this.threads.size);
    const open = new Set<Promise<void>>();
    for (const id of this.options.scans) {
      const entry = this.options.index.scans.entry(id);
      if (entry === undefined) continue;
      const leave = await gate.enter(bytesToRead(entry));
      if (this.failure !== undefined) break;
      const work = this.checkOne(id, entry)
        .catch((thrown: unknown) => void (this.failure ??= thrown))
        .finally(() => {
          leave();
          open.delete(work);
        });
      open.add(work);
    }
    await Promise.all(open);
    if (this.failure !== undefined) throw this.failure as Error;
  }

  private async checkOne(id: number, entry: ScanEntry): Promise<void> {
    const { index, frames, scans, onProgress } = this.options;
    const outcome = await this.threads.check(this.taskOf(entry));
    if (outcome === 'changed') this.changed++;
    else index.change(() => index.scans.saveCheck(id, entry.voxelsKey, frames, this.withoutForgotten(outcome)));
    this.checked++;
    onProgress?.(this.checked, scans.length, entry.path);
  }

  private taskOf(entry: ScanEntry): CheckTask {
    const { kind, path, stack, owner, part, geometry, bodyPart, headerModality, notedModality } = entry;
    const files = this.options.index.files.of(owner, part);
    return {
      ...{ kind, path, stack, bodyPart },
      files: files.map(({ path: file, bytes, modifiedMs }) => ({ path: file, bytes, modifiedMs })),
      frames: this.options.frames === 'all' ? (geometry?.frames ?? 1) : 1,
      modality: headerModality ?? notedModality,
    };
  }

  /** Of voxels that were opted out under another name nothing is kept. */
  private withoutForgotten(check: ScanCheck): ScanCheck {
    const { index, hashes } = this.options;
    if (index.optOuts.count() === 0) return check;
    const kept = check.volumes.filter(({ digest }) => !index.optOuts.has(hashes.digest(digest)));
    if (kept.length === check.volumes.length) return check;
    return { ...check, volumes: kept, unusedBecause: kept.length === 0 ? 'opted out' : check.unusedBecause };
  }
}

function bytesToRead({ geometry, bytes }: ScanEntry): number {
  const [x, y, z] = geometry?.sizeVoxels ?? [0, 0, 0];
  return BYTES_PER_VOXEL * x * y * z + Math.min(bytes, 16 * 2 ** 20);
}
