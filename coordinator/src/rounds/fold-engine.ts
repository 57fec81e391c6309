import { rm } from 'node:fs/promises';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { closeFoldThreads, foldFiles, type FoldJob, type FoldOutcome, warmUpFolds } from '../aggregation/fold-files.js';

/** The arithmetic of a fold, as a part that a simulation can replace. */
@Injectable()
export class FoldEngine implements OnApplicationBootstrap, OnApplicationShutdown {
  onApplicationBootstrap(): void {
    warmUpFolds();
  }

  fold(job: FoldJob): Promise<FoldOutcome> {
    return foldFiles(job);
  }

  async onApplicationShutdown(): Promise<void> {
    await closeFoldThreads();
  }

  /** Removes output files that were adopted or never finished; gone already is fine. */
  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) await rm(path, { force: true });
  }
}
