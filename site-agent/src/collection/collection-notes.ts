import { readFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import type { Modality } from '../volumes/volume.js';
import type { CollectionNotes } from './parse-notes.js';

/** A file that a site may lay beside its scans to say what they are. */
export const NOTES_FILE = 'collection.yaml';

/** What notes and names say of one scan. The ids are here only to be hashed. */
export interface NotedScan {
  readonly modality: Modality | undefined;
  readonly bodyPart: string | undefined;
  /** As notes beside the scan say. */
  readonly patientId: string | undefined;
  /** As the path says where it follows BIDS; what the header says goes before. */
  readonly bidsPatientId: string | undefined;
  readonly examinationId: string | undefined;
}

export const NOTHING_NOTED: NotedScan = {
  modality: undefined,
  bodyPart: undefined,
  patientId: undefined,
  bidsPatientId: undefined,
  examinationId: undefined,
};

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
      patientId: patients[name] ?? Object.entries(patients).find(([pattern]) => matches(name, pattern))?.[1],
      bidsPatientId: bids.patient,
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
  // Few folders have notes, and their grammar takes longer to load than a small collection to look through.
  return (await import('./parse-notes.js')).parseNotes(text, file);
}
