import { readFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
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
  bodyPart: z.string().min(1).max(64).optional().describe('of all files in this folder, such as ABDOMEN'),
  files: z.record(z.string(), modality).default({}).describe('file name → modality, for folders that hold both'),
  patients: z
    .record(z.string(), z.coerce.string().min(1))
    .default({})
    .describe('file name, or pattern with * and ? → patient id; only a salted hash of it is kept'),
});
export type CollectionNotes = z.infer<typeof notesSchema>;

/** What notes and names say of one scan. The ids are here only to be hashed. */
export interface NotedScan {
  readonly modality: Modality | undefined;
  readonly bodyPart: string | undefined;
  readonly patientId: string | undefined;
  readonly examinationId: string | undefined;
}

/** Notes of each folder, read once. CONFIG_INVALID names the field that is wrong. */
export class NotesReader {
  private readonly notes = new Map<string, Promise<CollectionNotes>>();

  /** What the notes beside a scan say of it, and what its path says where it follows BIDS. */
  async describe(scan: string): Promise<NotedScan> {
    const folder = dirname(scan);
    const known = this.notes.get(folder) ?? readNotes(join(folder, NOTES_FILE));
    this.notes.set(folder, known);
    const { files, modality, bodyPart, patients } = await known;
    const name = basename(scan);
    const bids = bidsLabels(scan);
    return {
      modality: files[name] ?? modality,
      bodyPart: bodyPart?.toUpperCase(),
      patientId: patients[name] ?? Object.entries(patients).find(([pattern]) => matches(name, pattern))?.[1] ?? bids.patient,
      examinationId: bids.session === undefined ? undefined : `${bids.patient ?? ''}/${bids.session}`,
    };
  }
}

/** The "sub-01" and "ses-02" of the Brain Imaging Data Structure, from the file's name or the folders above it. */
function bidsLabels(path: string): { patient: string | undefined; session: string | undefined } {
  const words = [...path.split(sep).slice(0, -1).reverse(), ...basename(path).split('_').slice(0, 2)];
  const find = (label: RegExp): string | undefined => words.findLast((word) => label.test(word));
  return { patient: find(/^sub-[0-9A-Za-z]+$/), session: find(/^ses-[0-9A-Za-z]+$/) };
}

function matches(name: string, pattern: string): boolean {
  const source = [...pattern].map((letter) => (letter === '*' ? '.*' : letter === '?' ? '.' : escaped(letter))).join('');
  return new RegExp(`^${source}$`, 's').test(name);
}

function escaped(letter: string): string {
  return /[\\^$.*+?()[\]{}|/-]/.test(letter) ? `\\${letter}` : letter;
}

async function readNotes(file: string): Promise<CollectionNotes> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return { files: {}, patients: {} };
  let notes: unknown;
  try {
    notes = parse(text) ?? {};
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${file} is not YAML`, { cause, remedy: 'Correct the file or remove it.' });
  }
  return parseWith(notesSchema, notes, 'CONFIG_INVALID', file);
}
