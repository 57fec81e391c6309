import { FederationError } from '@consilium/shared/kernel';
import { parseWith } from '@consilium/shared/wire';
import { parse } from 'yaml';
import { z } from 'zod';

const modality = z.enum(['CT', 'MR']);
const notesSchema = z.strictObject({
  modality: modality.optional().describe('of all files in this folder'),
  bodyPart: z.string().min(1).max(64).optional().describe('of all files in this folder, such as ABDOMEN'),
  files: z.record(z.string(), modality).default({}).describe('file name → modality, for folders that hold both'),
  patients: z
    .record(z.string(), z.coerce.string().min(1))
    .default({})
    .describe('file name, or pattern with * and ? → patient id; only a salted hash of it is kept'),
});
export type CollectionNotes = z.infer<typeof notesSchema>;

/** The notes in a text. CONFIG_INVALID names the file and the field that is wrong. */
export function parseNotes(text: string, file: string): CollectionNotes {
  let notes: unknown;
  try {
    notes = parse(text) ?? {};
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${file} is not YAML`, { cause, remedy: 'Correct the file or remove it.' });
  }
  return parseWith(notesSchema, notes, 'CONFIG_INVALID', file);
}
