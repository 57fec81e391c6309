/** What a finished round leaves on disk: the record that says so, written last, and the update that it names. */
import { algorithmOf, type Digest, digestOfFile } from '@consilium/shared/kernel';
import { digestField, updateReportSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { PretrainResult } from '../trainer/trainer-messages.js';
import { digestOfKept } from './kept-state.js';
import { readRecord, type RoundFolder, writeRecord } from './round-folder.js';

const resultSchema = z.object({
  planDigest: z.string(),
  digest: digestField,
  bytes: z.int(),
  report: updateReportSchema,
  /** Names what the site will keep; left out where it keeps nothing. */
  state: digestField.optional(),
  peakResidentBytes: z.number().optional(),
});

/** Makes this attempt a finished one; update and state are on disk. */
export async function finishRound(
  folder: RoundFolder,
  planDigest: string,
  made: Pick<PretrainResult, 'digest' | 'bytes' | 'report'>,
  state?: Digest,
): Promise<PretrainResult> {
  const result = { ...made, peakResidentBytes: peakResidentBytes() };
  await writeRecord(folder.resultFile, { planDigest, state, ...result });
  return { kind: 'pretrain', updatePath: folder.updateFile, ...result };
}

/** The result of an earlier attempt at the same plan whose update, and what is kept with it, are still whole on disk. */
export async function readFinished(folder: RoundFolder, planDigest: string): Promise<PretrainResult | undefined> {
  const record = await readRecord(folder.resultFile, resultSchema);
  if (record === undefined || record.planDigest !== planDigest) return undefined;
  const actual = await digestOfFile(folder.updateFile, algorithmOf(record.digest)).catch(() => undefined);
  if (actual !== record.digest) return undefined;
  if (record.state !== undefined && (await digestOfKept(folder.stateFile)) !== record.state) return undefined;
  const { bytes, report, peakResidentBytes: peak } = record;
  return { kind: 'pretrain', updatePath: folder.updateFile, digest: actual, bytes, report, peakResidentBytes: peak };
}

/** What the file of an update says of itself. */
export function updateMetadata(
  plan: { readonly base: { readonly digest: Digest }; readonly roundNumber: number },
  planDigest: string,
  patches: number,
): Record<string, string> {
  return {
    format: 'pt',
    kind: 'update',
    base: plan.base.digest,
    plan: planDigest,
    round: String(plan.roundNumber),
    patches: String(patches),
  };
}
