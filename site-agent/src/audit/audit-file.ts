import { closeSync, fsyncSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type Clock, FederationError } from '@consilium/shared/kernel';
import { AuditChain, type AuditEntry, auditEntrySchema } from '@consilium/shared/wire';
import { makePrivateFile, makePrivateFolder } from '../config/private-files.js';
import type { SiteFolder } from '../config/site-folder.js';
import { SiteAudit } from './site-audit.js';

/** The site's audit log, open for writing. */
export interface OpenAudit {
  readonly audit: SiteAudit;
  /** Bytes of a last line that a killed writer had not finished, and that was cut off; 0 as a rule. */
  readonly repairedBytes: number;
  readonly close: () => void;
}

/**
 * Opens the site's audit log, or begins it. A last line that was torn by a kill or a power cut tells of nothing that has left the
 * site (that is written and flushed first): it is cut off, and an entry says so. AUDIT_BROKEN when anything else is not as it was
 * written: the log is not gone on with then.
 */
export function openAudit(folder: Pick<SiteFolder, 'home' | 'auditFile'>, clock: Clock): OpenAudit {
  try {
    makePrivateFolder(folder.home);
    makePrivateFile(folder.auditFile);
    const file = openSync(folder.auditFile, 'a');
    try {
      const { entries, soundBytes, tornBytes } = readSound(readFileSync(folder.auditFile));
      if (tornBytes > 0) ftruncateSync(file, soundBytes);
      const audit = new SiteAudit(storageIn(file, soundBytes), clock, entries);
      if (tornBytes > 0) audit.note('log-repaired', { after: entries.length, bytes: tornBytes });
      audit.flush();
      return { audit, repairedBytes: tornBytes, close: () => closeSync(file) };
    } catch (thrown) {
      closeSync(file);
      throw thrown;
    }
  } catch (thrown) {
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  }
}

/** Lines are added at the end by one writer; whoever else writes to the file makes it useless, and is noticed at once. */
function storageIn(file: number, sizeAtFirst: number): { append(line: string): void; flush(): void } {
  let size = sizeAtFirst;
  return {
    append: (line) => {
      if (fstatSync(file).size !== size) throw changedBesides();
      const bytes = Buffer.from(`${line}\n`);
      try {
        if (writeSync(file, bytes) !== bytes.length) throw new FederationError('DISK_FULL', 'the audit log cannot be written');
        size += bytes.length;
      } catch (thrown) {
        ftruncateSync(file, size); // half a line is no entry
        throw FederationError.from(thrown, 'STORAGE_FAILED');
      }
    },
    flush: () => fsyncSync(file),
  };
}

interface Sound {
  readonly entries: AuditEntry[];
  readonly soundBytes: number;
  /** Behind the last line's end. */
  readonly tornBytes: number;
}

function readSound(content: Buffer): Sound {
  const soundBytes = content.lastIndexOf('\n') + 1;
  const lines = content.subarray(0, soundBytes).toString('utf8').split('\n').slice(0, -1);
  const chain = new AuditChain();
  const entries = lines.map((line, index) => {
    const entry = parseLine(line);
    const fault = entry === undefined ? `line ${index + 1} is no entry` : chain.follow(entry)?.what;
    if (entry === undefined || fault !== undefined) throw broken(fault ?? '', index + 1);
    return entry;
  });
  return { entries, soundBytes, tornBytes: content.length - soundBytes };
}

function parseLine(line: string): AuditEntry | undefined {
  try {
    return auditEntrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function broken(what: string, seq: number): FederationError {
  return new FederationError('AUDIT_BROKEN', `this site’s audit log is not what was written: ${what}`, {
    details: { seq },
    remedy: 'Find out who could write to it. Move audit.jsonl away and keep it: a new log begins at the next start.',
  });
}

function changedBesides(): FederationError {
  return new FederationError('STORAGE_FAILED', 'another program has written to this site’s audit log', {
    retryable: false,
    remedy: 'Stop it, look at the log with "site-agent audit verify", and start the agent again.',
  });
}
