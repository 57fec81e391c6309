import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { FederationError } from '@consilium/shared/kernel';
import { type BackupBlob, type BackupHead, backupLineSchema, type BackupRow } from './backup-format.js';

/** What is done with the records, in the order in which they come. */
export interface RecordsReader {
  readonly head?: (head: BackupHead) => Promise<void> | void;
  readonly row?: (table: string, row: BackupRow) => Promise<void> | void;
  readonly blob?: (blob: BackupBlob) => Promise<void> | void;
}

/** Reads the records of a backup from first to last line; BACKUP_DAMAGED when they are not whole or not such records. */
export async function readRecords(file: string, reader: RecordsReader): Promise<{ readonly rows: number }> {
  let state: 'begin' | 'rows' | 'end' = 'begin';
  let [rows, blobs] = [0, 0];
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const line = parseLine(text);
    if ((line.kind === 'head') !== (state === 'begin') || state === 'end') throw damaged('its lines are in a wrong order');
    switch (line.kind) {
      case 'head':
        state = 'rows';
        await reader.head?.(line);
        break;
      case 'row':
        rows += 1;
        await reader.row?.(line.table, line.row);
        break;
      case 'blob':
        blobs += 1;
        await reader.blob?.(line);
        break;
      case 'end':
        if (line.rows !== rows || line.blobs !== blobs) throw damaged('lines are missing');
        state = 'end';
    }
  }
  if (state !== 'end') throw damaged('its end is missing');
  return { rows };
}

function parseLine(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged('a line is no JSON', cause);
  }
  const parsed = backupLineSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged('a line is none of this format', parsed.error);
}

export function damaged(how: string, cause?: unknown): FederationError {
  return new FederationError('BACKUP_DAMAGED', `the records of the backup cannot be used: ${how}`, {
    cause,
    remedy: 'Take the backup again into another folder, or restore another one.',
  });
}
