import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { z } from 'zod';
import type { EvidenceRun } from './work-list.js';

/** What one run left behind; kept in the repository. Numbers and names of the protocol, nothing of a scan. */
const runResultSchema = z.object({
  id: z.string(),
  inputs: z.string(),
  wallSeconds: z.number(),
  software: z.object({ version: z.string(), commit: z.string().nullable(), node: z.string() }),
  /** `jobs` runs shared the processor, with so many threads each. */
  machine: z.object({
    processor: z.string(),
    /** Width of its registers, on which speed and the last bits depend; not in results of earlier programs. */
    vectors: z.enum(['AVX-512', 'AVX2', 'other']).optional(),
    cores: z.int(),
    jobs: z.int(),
    threads: z.int(),
  }),
  /** Of a fine-tuning or a probe: the pretrained model that it started from; null for scratch. */
  startDigest: z.string().nullable(),
  /** Of a pretraining: what the models that follow start from. */
  modelDigest: z.string().nullable(),
  /** Named figures, such as skill.all, dice or linear.auc. */
  figures: z.record(z.string(), z.number().nullable()),
  /** The metric of each held-out case, in the order of the cases' names. */
  cases: z.record(z.string(), z.number()).optional(),
  /** Of a classification, for each held-out case: its patient, whether it is of the last class, and that class's probability. */
  outcomes: z.record(z.string(), z.tuple([z.string(), z.boolean(), z.number()])).optional(),
  /** Curves as lists of points: steps against a figure. */
  curves: z.record(z.string(), z.array(z.tuple([z.number(), z.number()]))).optional(),
});
export type RunResult = z.infer<typeof runResultSchema>;

/** One JSON file per finished run. A result counts only as long as its run's inputs are the same. */
export class RunStore {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  /** The result of this very run; undefined when it is not there or was made from other inputs. */
  find({ id, inputs }: Pick<EvidenceRun, 'id'> & { readonly inputs: Digest }): RunResult | undefined {
    const path = this.path(id);
    if (!existsSync(path)) return undefined;
    const result = runResultSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return result.inputs === inputs ? result : undefined;
  }

  /** Appears whole or not at all. */
  put(result: RunResult): void {
    const path = this.path(result.id);
    writeFileSync(`${path}.partial`, `${JSON.stringify(result, null, 1)}\n`);
    renameSync(`${path}.partial`, path);
  }

  /** Names of results that no run of the list has: of an older protocol. */
  strangers(runs: readonly EvidenceRun[]): string[] {
    const known = new Set(runs.map(({ id }) => `${id}.json`));
    return readdirSync(this.folder).filter((file) => file.endsWith('.json') && !known.has(file));
  }

  private path(id: string): string {
    return join(this.folder, `${id}.json`);
  }
}
