/** From what a task says about its cases to entries that each have a place, for errors, and perhaps a list. */
import { extname, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import {
  CASE_LISTS,
  type CaseEntry,
  type CaseList,
  caseListsSchema,
  type CaseLists,
  type CaseRow,
  type CaseRows,
  casesSchema,
  type CaseSource,
} from './case-entry.js';
import { findPairs, type FolderPair } from './folder-pairs.js';
import { readSplitTable } from './split-table.js';
import { checkDocument, readDocument, type TaskDocument } from './task-document.js';

/** One entry as it was found. */
export interface ListedCase {
  readonly entry: CaseEntry;
  /** Undefined in a list that is still to be divided. */
  readonly list: CaseList | undefined;
  /** What errors call it: "task.yaml line 12: cases.train.3", "cases.csv line 4". */
  readonly place: string;
  /** What its paths are relative to. */
  readonly folder: string;
}

/** Reads whatever the task names: its own lists, a split file, a pair of folders. TASK_INVALID names file and line. */
export function listCases(source: CaseSource, task: TaskDocument, folder: string): ListedCase[] {
  const pairs = source.folders && pairsOf(source.folders, folder);
  if (source.cases !== undefined) return entriesOf(source.cases, { document: task, prefix: ['cases'], folder, pairs });
  if (source.split === undefined) return [...(pairs ?? new Map<string, FolderPair>()).values()].map(pairAsCase);
  const { file, columns, lists } = source.split;
  const path = resolve(folder, file);
  const base = source.split.folder === undefined ? folder : resolve(folder, source.split.folder);
  if (['.csv', '.tsv'].includes(extname(path).toLowerCase())) {
    const rows = readSplitTable(path, columns);
    return rows.map(({ row, place }) => withPair(row, { list: listOf(row.split, place), place, folder: base, pairs }));
  }
  const document = readDocument(path, 'split file');
  const cases = lists === undefined ? checkDocument(casesSchema, document) : pickLists(document, lists);
  return entriesOf(cases, { document, prefix: [], names: lists, folder: base, pairs });
}

type Pairs = ReadonlyMap<string, FolderPair> | undefined;

function pairsOf({ images, labels }: { images: string; labels?: string | undefined }, folder: string): Pairs {
  return findPairs(resolve(folder, images), labels === undefined ? undefined : resolve(folder, labels));
}

function pairAsCase({ name, image, label }: FolderPair): ListedCase {
  return { entry: { image, ...(label !== undefined && { label }), name }, list: undefined, place: image, folder: '' };
}

type ListNames = Partial<Record<CaseList, string | undefined>>;

interface Reading {
  readonly document: TaskDocument;
  readonly prefix: readonly string[];
  /** What the lists are called there, where not like here. */
  readonly names?: ListNames | undefined;
  readonly folder: string;
  readonly pairs: Pairs;
}

function entriesOf(cases: CaseLists | CaseRows, { document, prefix, names = {}, folder, pairs }: Reading): ListedCase[] {
  const placeOf = (field: readonly (string | number)[]): string => {
    const path = [...prefix, ...field];
    return `${document.placeOf(path)}: ${path.join('.')}`;
  };
  if (Array.isArray(cases)) {
    return cases.map((row, index) => {
      const place = placeOf([index]);
      return withPair(row, { list: typeof row === 'string' ? undefined : listOf(row.split, place), place, folder, pairs });
    });
  }
  return CASE_LISTS.flatMap((list) =>
    cases[list].map((row, index) =>
      withPair(row, { list, place: placeOf([...(names[list] ?? list).split('.'), index]), folder, pairs }),
    ),
  );
}

/** A name alone, or a row that names its image so, becomes the files of the pair. */
function withPair(row: string | CaseRow, { pairs, ...found }: Omit<ListedCase, 'entry'> & { pairs: Pairs }): ListedCase {
  const entry: CaseRow = typeof row === 'string' ? { image: row } : { ...row };
  delete entry.split; // it has become the list
  const pair = pairs?.get(entry.image);
  if (pair !== undefined) {
    const { name, image, label } = pair;
    return { ...found, entry: { name, ...entry, image, ...(label !== undefined && { label }) } };
  }
  if (typeof row !== 'string') return { ...found, entry };
  throw new FederationError('TASK_INVALID', `${found.place}: there is no image called ${row} in the folders of the task`, {
    remedy:
      pairs === undefined
        ? 'Give the entry as { image: FILE, … }, or name the folders of the files as "folders: { images: … }".'
        : 'Names are those of the image files, without .nii.gz.',
  });
}

const LIST_WORDS: Readonly<Record<string, CaseList>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  test: 'test',
  testing: 'test',
};

function listOf(word: string | undefined, place: string): CaseList | undefined {
  if (word === undefined) return undefined;
  const list = LIST_WORDS[word.toLowerCase()];
  if (list !== undefined) return list;
  throw new FederationError('TASK_INVALID', `${place}: split: expected train, validation or test, not ${word}`, {
    remedy: 'Correct the row.',
  });
}

/** The lists of a file under names of its own, such as "subsets.10". */
function pickLists(document: TaskDocument, names: ListNames): CaseLists {
  const entries = CASE_LISTS.flatMap((list) => {
    const name = names[list];
    if (name === undefined) return [];
    const found = name.split('.').reduce<unknown>(fieldOf, document.value);
    if (Array.isArray(found)) return [[list, found] as const];
    throw new FederationError('TASK_INVALID', `${document.path} has no list ${name}`, { remedy: 'Correct split.lists.' });
  });
  return checkDocument(caseListsSchema, document, Object.fromEntries(entries));
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
