/** An audit log as people handle it: read from an export, followed from its first entry on, and written as a table. */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FederationError } from '@consilium/shared/kernel';
import { AuditChain, type AuditEntry, auditEntrySchema } from './audit.js';
import { type AuditHead, HeadCheck, headNotedIn, type HeadOwner, type NotedHead } from './audit-heads.js';
import { parseWith } from './parse.js';

/** The entries of an export (JSON lines), one at a time. NOT_FOUND without the file, ARGUMENT_INVALID when it is none of ours. */
export async function* auditEntriesIn(file: string): AsyncGenerator<AuditEntry> {
  if (!existsSync(file)) throw new FederationError('NOT_FOUND', `there is no file ${file}`);
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new FederationError('ARGUMENT_INVALID', `${file} holds a line that is no JSON`, {
        remedy: 'Name a log as "audit export" writes it as JSON.',
      });
    }
    yield parseWith(auditEntrySchema, value, 'ARGUMENT_INVALID', file);
  }
}

export interface AuditDemands {
  /** Digest of an entry that was noted earlier: it must still be in the log. */
  readonly head?: string | undefined;
  /** What the other side's log noted of this one: all of it must be in the log. */
  readonly noted?: readonly NotedHead[] | undefined;
}

/**
 * Follows a log to its end and returns its newest entry (seq 0 for an empty log). AUDIT_BROKEN names the first entry that is not
 * what it was, or the first head that was noted elsewhere and that this log does not contain.
 */
export async function followAudit(
  entries: AsyncIterable<AuditEntry>,
  { head, noted = [] }: AuditDemands = {},
): Promise<AuditHead> {
  const chain = new AuditChain();
  const check = new HeadCheck(noted);
  let isHeadThere = head === undefined;
  for await (const entry of entries) {
    const fault = chain.follow(entry);
    if (fault !== undefined) throw auditBroken(fault.what, fault.seq);
    isHeadThere ||= entry.digest === head;
    check.see(entry);
  }
  if (!isHeadThere)
    throw auditBroken(`no entry has the digest ${head}: the log is not the one that it was noted from`, chain.ended.seq);
  const missing = check.missing();
  if (missing !== undefined) {
    const { seq, digest, notedIn } = missing;
    throw auditBroken(
      `entry ${notedIn} of the other log notes the head ${digest} (entry ${seq}), which this log does not contain`,
      seq,
    );
  }
  return chain.ended;
}

/**
 * What the export of the other side's log says of this one. Follows that log as well: AUDIT_BROKEN when it is itself not what it
 * was.
 *
 * @param actor whose entries count, such as "site:NAME" in a coordinator's log; all when left out
 */
export async function headsNotedIn(file: string, owner: HeadOwner, actor?: string): Promise<NotedHead[]> {
  const noted: NotedHead[] = [];
  const chain = new AuditChain();
  for await (const entry of auditEntriesIn(file)) {
    const fault = chain.follow(entry);
    if (fault !== undefined) throw auditBroken(`in ${file}: ${fault.what}`, fault.seq);
    const head = actor === undefined || entry.actor === actor ? headNotedIn(entry, owner) : undefined;
    if (head !== undefined) noted.push(head);
  }
  return noted;
}

function auditBroken(what: string, seq: number): FederationError {
  return new FederationError('AUDIT_BROKEN', what, {
    details: { seq },
    remedy: 'Compare with an earlier export or backup, and find out who could write to the records.',
  });
}

/** The columns of the table; {@link auditRow} fills them. */
export const AUDIT_COLUMNS = ['entry', 'time', 'who', 'what', 'of', 'digest'] as const;

export function auditRow({ seq, atMs, actor, kind, subject, digest }: AuditEntry): string[] {
  const of = Object.entries(subject).flatMap(([name, value]) => (value === null ? [] : [`${name} ${String(value)}`]));
  return [String(seq), new Date(atMs).toISOString(), actor, kind, of.join('; '), digest];
}

/** One line of the table as CSV, without its end. */
export function csvLine(cells: readonly string[]): string {
  return cells.map((text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(',');
}
