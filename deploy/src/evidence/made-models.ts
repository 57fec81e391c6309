import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestOfFile } from '@consilium/shared/kernel';
import { type RunResult, RunStore } from './run-store.js';
import type { PretrainingRun } from './work-list.js';

export interface StartModel {
  readonly path: string;
  readonly digest: string;
}

/**
 * Pretrained models on this computer, outside the repository, each beside the result of its making. One that the repository's results
 * name may be missing here; made again on another processor it may have other bytes, and is used all the same: the results of what
 * starts from it name its digest.
 */
export class MadeModels {
  private readonly makings: RunStore;

  constructor(
    private readonly folder: string,
    /** The results in the repository. */
    private readonly recorded: RunStore,
  ) {
    mkdirSync(folder, { recursive: true });
    this.makings = new RunStore(folder);
  }

  fileOf({ id }: Pick<PretrainingRun, 'id'>): string {
    return join(this.folder, `${id}.safetensors`);
  }

  /** The model as it lies here, when it is whole and of this very run. */
  async find(run: PretrainingRun): Promise<StartModel | undefined> {
    const path = this.fileOf(run);
    if (!existsSync(path)) return undefined;
    const known = [this.makings, this.recorded].flatMap((store) => store.find(run)?.modelDigest ?? []);
    for (const digest of known) if (await isDigestOf(path, digest)) return { path, digest };
    return undefined;
  }

  /**
   * Keeps the result of a making beside the model, and in the repository unless there is one: probes and fine-tunings were made from
   * that one. False when the repository's result is of other bytes.
   */
  keep(run: PretrainingRun, result: RunResult): boolean {
    this.makings.put(result);
    const earlier = this.recorded.find(run);
    if (earlier === undefined) this.recorded.put(result);
    return earlier === undefined || earlier.modelDigest === result.modelDigest;
  }
}

async function isDigestOf(path: string, digest: string): Promise<boolean> {
  return (await digestOfFile(path, (digest as Digest).startsWith('blake3:') ? 'blake3' : 'sha256')) === digest;
}
