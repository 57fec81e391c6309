import { type Digest, digestOfJson } from '@consilium/shared/kernel';
import { z } from 'zod';
import { digestField } from './fields.js';

/** What an entry says beyond who did what: short names, numbers and digests. */
const subjectSchema = z.record(z.string(), z.union([z.string(), z.number(), z.null(), z.array(z.string())]));
export type AuditSubject = z.infer<typeof subjectSchema>;

/** One line of the audit log. Each names the one before it by digest, so that none can be altered, added or taken out unseen. */
export const auditEntrySchema = z.object({
  /** From 1, without gaps. */
  seq: z.int().min(1),
  atMs: z.number(),
  /** What happened, such as "site-revoked". */
  kind: z.string(),
  /** "operator:NAME" of a signed-in operator, "operator" of the home folder's token, "site:NAME" or "coordinator". */
  actor: z.string(),
  subject: subjectSchema,
  previous: digestField,
  digest: digestField,
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** GET /api/audit: entries in order. */
export const auditPageSchema = z.object({ entries: z.array(auditEntrySchema) });

/** What the first entry names as the one before it. */
export const AUDIT_BEGINNING: Digest = digestOfJson('consilium audit log, format 1');

export function auditDigest({ seq, atMs, kind, actor, subject, previous }: Omit<AuditEntry, 'digest'>): Digest {
  return digestOfJson({ seq, atMs, kind, actor, subject, previous });
}

export interface AuditFault {
  /** Of the first entry that is not what it was, or the first that is missing. */
  readonly seq: number;
  readonly what: string;
}

/** Follows the chain entry by entry; `ended` tells the last one that was sound. */
export class AuditChain {
  private last: Pick<AuditEntry, 'seq' | 'digest'> = { seq: 0, digest: AUDIT_BEGINNING };

  get ended(): Pick<AuditEntry, 'seq' | 'digest'> {
    return this.last;
  }

  /** What is wrong with the next entry, if anything is. */
  follow(entry: AuditEntry): AuditFault | undefined {
    const seq = this.last.seq + 1;
    if (entry.seq !== seq) return { seq, what: `entry ${seq} is missing: ${entry.seq} stands in its place` };
    if (entry.previous !== this.last.digest)
      return { seq, what: `entry ${seq} does not follow on entry ${seq - 1} as it stands here` };
    if (entry.digest !== auditDigest(entry))
      return { seq, what: `entry ${seq} was altered: its content is not what its digest names` };
    this.last = { seq, digest: entry.digest };
    return undefined;
  }
}

/** The first fault of a whole log, from its first entry on. */
export function auditFault(entries: Iterable<AuditEntry>): AuditFault | undefined {
  const chain = new AuditChain();
  for (const entry of entries) {
    const fault = chain.follow(entry);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
