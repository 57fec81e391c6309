import { createHash } from 'node:crypto';
import { digestField, parseWith } from '@consilium/shared/wire';
import { z } from 'zod';
import type { PreparedVoxels } from '../prepare-volume.js';
import { HEADER_BYTES } from './chunk-layout.js';

const MAGIC = Buffer.from('CNSLVOX1');
const DIGEST_BYTES = 32;

const triple = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);

/** What a file of prepared voxels says of itself. */
export const entryHeaderSchema = z.strictObject({
  digest: digestField,
  modality: z.enum(['CT', 'MR']),
  /** Of the preparation; see `fingerprintOf`. */
  fingerprint: digestField,
  sizeVoxels: triple.refine((size) => size.every(Number.isInteger)),
  spacingMm: triple,
  /** 4×4, row-major: prepared voxel → millimetres, RAS+. */
  affine: z.array(z.number()).length(16),
  elementType: z.enum(['f32', 'f16']),
  airThreshold: z.number(),
  airValue: z.number(),
});
export type EntryHeader = z.infer<typeof entryHeaderSchema>;

type VoxelFacts = Pick<EntryHeader, 'sizeVoxels' | 'spacingMm' | 'affine' | 'airThreshold' | 'airValue'>;

/** What a header says of the voxels themselves, and nothing else that may stand beside it. */
export function voxelFacts({
  sizeVoxels,
  spacingMm,
  affine,
  airThreshold,
  airValue,
}: Omit<PreparedVoxels, 'voxels'>): VoxelFacts {
  return { sizeVoxels: [...sizeVoxels], spacingMm: [...spacingMm], affine: [...affine], airThreshold, airValue };
}

/** One page: a mark, the facts as JSON, zeros, and the SHA-256 of all before it. */
export function encodeHeader(header: EntryHeader): Buffer {
  const page = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(page);
  const text = Buffer.from(JSON.stringify(header));
  page.writeUInt32LE(text.length, MAGIC.length);
  text.copy(page, MAGIC.length + 4);
  digestOf(page).copy(page, HEADER_BYTES - DIGEST_BYTES);
  return page;
}

/** Undefined unless every byte is as it was written. */
export function decodeHeader(page: Buffer): EntryHeader | undefined {
  if (page.length !== HEADER_BYTES || !page.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!digestOf(page).equals(page.subarray(HEADER_BYTES - DIGEST_BYTES))) return undefined;
  const from = MAGIC.length + 4;
  const text = page.toString('utf8', from, from + page.readUInt32LE(MAGIC.length));
  return parseWith(entryHeaderSchema, JSON.parse(text), 'STORAGE_FAILED', 'a prepared volume');
}

function digestOf(page: Buffer): Buffer {
  return createHash('sha256')
    .update(page.subarray(0, HEADER_BYTES - DIGEST_BYTES))
    .digest();
}
