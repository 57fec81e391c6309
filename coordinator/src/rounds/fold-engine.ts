import { rm, stat } from 'node:fs/promises';
import { algorithmOf, type Digest, type DigestAlgorithm, required } from '@consilium/shared/kernel';
import { type Manifest, SafetensorsFile, writeFileWhole } from '@consilium/shared/weights';
import type { RecipePlan } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import { aggregate } from '../aggregation/aggregate.js';

export interface UpdateFile {
  readonly siteName: string;
  readonly path: string;
  readonly patches: number;
  readonly staleness: number;
}
export interface FoldJob {
  readonly manifest: Manifest;
  readonly basePath: string;
  readonly statePath: string | null;
  readonly updates: readonly UpdateFile[];
  readonly recipe: RecipePlan;
  readonly metadata: Readonly<Record<string, string>>;
  readonly sitesOfCampaign: number;
  readonly digest: DigestAlgorithm;
  readonly outputPath: string;
  readonly stateOutputPath: string;
  readonly signal?: AbortSignal;
}
export interface FoldOutcome {
  readonly digest: Digest;
  readonly bytes: number;
  readonly state: { readonly digest: Digest; readonly bytes: number } | null;
  readonly leftOut: readonly { readonly siteName: string; readonly code: string }[];
}

/** The arithmetic of a fold, as a part that a simulation can replace. */
@Injectable()
export class FoldEngine {
  async fold(job: FoldJob): Promise<FoldOutcome> {
    const open: SafetensorsFile[] = [];
    const openFile = async (path: string): Promise<SafetensorsFile> => {
      const file = await SafetensorsFile.open(path);
      open.push(file);
      return file;
    };
    try {
      const base = await openFile(job.basePath);
      const updates = [];
      for (const { siteName, patches, path } of job.updates) updates.push({ siteName, patches, delta: await openFile(path) });
      const { manifest, recipe, metadata, signal } = job;
      const parts = aggregate({ manifest, base, updates, recipe, metadata, signal });
      const digest = await writeFileWhole(job.outputPath, parts, job.digest);
      required(algorithmOf(digest), 'the algorithm');
      return { digest, bytes: (await stat(job.outputPath)).size, state: null, leftOut: [] };
    } finally {
      for (const file of open) await file.close();
    }
  }

  /** Removes output files that were adopted or never finished; gone already is fine. */
  async discard(paths: readonly string[]): Promise<void> {
    for (const path of paths) await rm(path, { force: true });
  }
}
