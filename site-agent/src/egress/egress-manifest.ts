import { mkdirSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOfBytes, FederationError } from '@consilium/shared/kernel';
import { writeFlushed } from '@consilium/shared/weights';
import { digestField, type ToldReport, toldReportSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import type { ExaminedUpdate } from './examine-update.js';
import { requirePlainIdentifier } from '../config/site-folder.js';

/** Manifests that are kept: the newest ones. The audit log names all that there ever were, by digest. */
const KEPT_MANIFESTS = 500;

const tensorSchema = z.strictObject({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  dtype: z.enum(['F32', 'F16', 'BF16', 'I8']),
  bytes: z.int().min(0),
  norm: z.number().min(0).nullable(),
  digest: digestField,
});

/** All that leaves the site with one update, as a file for people. The same update gives the same file. */
export const egressManifestSchema = z.strictObject({
  format: z.literal(1),
  campaign: z.string(),
  round: z.int().min(1),
  update: digestField,
  bytes: z.int().min(0),
  metadata: z.record(z.string(), z.string()),
  tensors: z.array(tensorSchema),
  /** What is reported with the update, as far as the site's policy lets it. */
  metrics: toldReportSchema,
});
export type EgressManifest = z.infer<typeof egressManifestSchema>;

export function manifestOfUpdate(
  { campaignName, roundNumber }: { readonly campaignName: string; readonly roundNumber: number },
  { digest, bytes, metadata, tensors }: ExaminedUpdate,
  metrics: ToldReport,
): EgressManifest {
  const what = { format: 1 as const, campaign: campaignName, round: roundNumber, update: digest, bytes, metadata };
  return { ...what, tensors: tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] })), metrics };
}

/** The manifests in the site's folder, one per participation. */
export class EgressFolder {
  constructor(private readonly path: string) {}

  /** Writes it whole and flushed, for its owner alone, and returns its digest. */
  async write(participationId: string, manifest: EgressManifest): Promise<Digest> {
    const bytes = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
    const file = this.fileOf(participationId);
    const temporary = `${file}.${process.pid}.partial`;
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      await writeFlushed(temporary, [bytes], undefined, 0o600);
      await rename(temporary, file);
      await this.forgetOldest();
    } catch (cause) {
      await rm(temporary, { force: true });
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
    return digestOfBytes(bytes);
  }

  /** Undefined when there is none, or none that reads. */
  async read(participationId: string): Promise<EgressManifest | undefined> {
    try {
      return egressManifestSchema.safeParse(JSON.parse(await readFile(this.fileOf(participationId), 'utf8'))).data;
    } catch {
      return undefined;
    }
  }

  private fileOf(participationId: string): string {
    return join(this.path, `${requirePlainIdentifier(participationId, 'participation')}.json`);
  }

  private async forgetOldest(): Promise<void> {
    const names = await readdir(this.path);
    if (names.length <= KEPT_MANIFESTS) return;
    const files = names.map((name) => join(this.path, name));
    const dated = await Promise.all(files.map(async (file) => ({ file, atMs: (await stat(file)).mtimeMs })));
    const oldest = dated.sort((a, b) => a.atMs - b.atMs).slice(0, names.length - KEPT_MANIFESTS);
    for (const { file } of oldest) await rm(file, { force: true });
  }
}
