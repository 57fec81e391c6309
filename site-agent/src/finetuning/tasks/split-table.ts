/** Cases from a CSV file (RFC 4180, with commas, semicolons or tabs), with the line of each. */
import { basename } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type { Modality } from '../../volumes/volume.js';
import type { CaseRow, SplitColumns } from './case-entry.js';
import { readText } from './task-document.js';

/** One row with what errors call it: "cases.csv line 12". */
export interface TableRow {
  readonly row: CaseRow;
  readonly place: string;
}

const WHOLE_NUMBER = /^\d+$/;

const MODALITY_WORDS: Readonly<Record<string, Modality>> = { CT: 'CT', MR: 'MR', MRI: 'MR' };

/** Throws NOT_FOUND, or TASK_INVALID naming the file and the line or column that is wrong. */
export function readSplitTable(path: string, columns: SplitColumns = {}): TableRow[] {
  const records = parseCsv(readText(path, 'split file').replace(/^\uFEFF/, ''), path);
  const [header, ...rows] = records;
  if (header === undefined || rows.length === 0)
    throw wrong(`${basename(path)} holds no case`, 'Give it a header line and rows.');
  const names = header.cells.map((cell) => cell.trim());
  for (const column of Object.values(columns).flat()) {
    if (!names.includes(column)) throw wrong(`${basename(path)} has no column ${column}`, `Its columns are ${names.join(', ')}.`);
  }
  const reader = new RowReader(names, columns);
  return rows.map(({ cells, line }) => {
    const place = `${basename(path)} line ${line}`;
    if (cells.length !== names.length) {
      throw wrong(`${place}: it has ${cells.length} cells, the header ${names.length}`, 'Put values with commas into quotes.');
    }
    return { row: reader.read(cells, place), place };
  });
}

class RowReader {
  constructor(
    private readonly names: readonly string[],
    private readonly columns: SplitColumns,
  ) {}

  read(cells: readonly string[], place: string): CaseRow {
    const image = this.cell(cells, 'image');
    if (image === undefined) throw this.withoutImage(place);
    const optional = (['label', 'class', 'split', 'patient', 'name'] as const).map((field) => [field, this.cell(cells, field)]);
    const numbers = (['series', 'frame'] as const).map((field) => [field, wholeNumber(this.cell(cells, field), field, place)]);
    const filled = [...optional, ...numbers].filter(([, value]) => value !== undefined);
    const [centre, modality] = [this.centre(cells, place), this.modality(cells)];
    const rest = { ...(modality && { modality }), ...(centre && { centre }) };
    return { image, ...(Object.fromEntries(filled) as Partial<CaseRow>), ...rest };
  }

  private withoutImage(place: string): FederationError {
    const column = this.columns.image ?? 'image';
    if (this.names.includes(column)) return wrong(`${place}: ${column}: it is empty`, 'Name the image file.');
    const remedy = `Its columns are ${this.names.join(', ')}. Call one of them image, or say which it is: split: { columns: { image: NAME } }.`;
    return wrong(`${place}: there is no column ${column}`, remedy);
  }

  /** Many tables have a column of this name for the sequence ("T1"): words that do not mean CT or MR say nothing here. */
  private modality(cells: readonly string[]): Modality | undefined {
    return MODALITY_WORDS[this.cell(cells, 'modality')?.toUpperCase() ?? ''];
  }

  /** Undefined for an empty cell and a column that is not there. */
  private cell(cells: readonly string[], field: Exclude<keyof SplitColumns, 'centre'>): string | undefined {
    return this.at(cells, this.columns[field] ?? field);
  }

  private at(cells: readonly string[], column: string): string | undefined {
    const value = cells[this.names.indexOf(column)]?.trim();
    return value === '' ? undefined : value;
  }

  private centre(cells: readonly string[], place: string): [number, number, number] | undefined {
    const axes = this.columns.centre ?? ['i', 'j', 'k'];
    const [i, j, k] = axes.map((column) => wholeNumber(this.at(cells, column), column, place));
    if (i === undefined && j === undefined && k === undefined) return undefined;
    if (i === undefined || j === undefined || k === undefined) throw wrong(`${place}: the centre needs ${axes.join(', ')}`);
    return [i, j, k];
  }
}

function wholeNumber(text: string | undefined, field: string, place: string): number | undefined {
  if (text === undefined) return undefined;
  if (!WHOLE_NUMBER.test(text)) throw wrong(`${place}: ${field}: expected a whole number from 0, not ${text}`);
  return Number(text);
}

interface CsvRecord {
  readonly cells: readonly string[];
  /** Counted from 1; of its first character. */
  readonly line: number;
}

/** Rows without any text are left out. */
function parseCsv(text: string, path: string): CsvRecord[] {
  const separator = separatorOf(text);
  const records: CsvRecord[] = [];
  let [cells, cell, quoted, line, first]: [string[], string, boolean, number, number] = [[], '', false, 1, 1];
  const endRecord = (): void => {
    cells.push(cell);
    if (cells.some((value) => value.trim() !== '')) records.push({ cells, line: first });
    [cells, cell] = [[], ''];
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '\n') line++;
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (character === '"' && cell.trim() === '') [cell, quoted] = ['', true];
    else if (character === separator) {
      cells.push(cell);
      cell = '';
    } else if (character === '\n') {
      endRecord();
      first = line;
    } else if (character !== '\r') cell += character;
  }
  if (quoted) throw wrong(`${basename(path)} line ${first}: a quote is opened and not closed`);
  endRecord();
  return records;
}

/** Whichever the header line has most of. */
function separatorOf(text: string): string {
  const [header = ''] = text.split('\n', 1);
  const counts = [',', ';', '\t'].map((mark) => ({ mark, count: header.split(mark).length }));
  return counts.reduce((most, next) => (next.count > most.count ? next : most)).mark;
}

function wrong(message: string, remedy = 'Correct the file.'): FederationError {
  return new FederationError('TASK_INVALID', message, { remedy });
}
