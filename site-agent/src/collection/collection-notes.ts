import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { parseWith } from '@consilium/shared/wire';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Modality } from '../volumes/volume.js';

/** A file that a site may lay beside its scans to say what they are. */
export const NOTES_FILE = 'collection.yaml';

const modality = z.enum(['CT', 'MR']);
const notesSchema = z.strictObject({
  modality: modality.optional().describe('of all files in this folder'),
  files: z.record(z.string(), modality).default({}).describe('file name → modality, for folders that hold both'),
});
export type CollectionNotes = z.infer<typeof notesSchema>;

/** Notes of each folder, read once. CONFIG_INVALID names the field that is wrong. */
export class NotesReader {
  private readonly notes = new Map<string, Promise<CollectionNotes>>();

  /** What the notes beside a scan say of it. */
  async modalityOf(scan: string): Promise<Modality | undefined> {
    const folder = dirname(scan);
    const known = this.notes.get(folder) ?? readNotes(join(folder, NOTES_FILE));
    this.notes.set(folder, known);
    const { files, modality } = await known;
    return files[basename(scan)] ?? modality;
  }
}

async function readNotes(file: string): Promise<CollectionNotes> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return { files: {} };
  let notes: unknown;
  try {
    notes = parse(text) ?? {};
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${file} is not YAML`, { cause, remedy: 'Correct the file or remove it.' });
  }
  return parseWith(notesSchema, notes, 'CONFIG_INVALID', file);
}
