/**
 * Site and coordinator keep an audit log each, and tell each other its newest entry with every update that is offered. What one of
 * them noted of the other's log, nobody can rewrite there unseen.
 */
import { type Digest, isDigest } from '@consilium/shared/kernel';
import { z } from 'zod';
import type { AuditEntry, AuditSubject } from './audit.js';
import { digestField, positiveInteger } from './fields.js';

/** Names an entry of an audit log, and with it all entries up to it. */
export const auditHeadSchema = z.strictObject({ seq: positiveInteger, digest: digestField });
export type AuditHead = z.infer<typeof auditHeadSchema>;

/** Whose head is noted. */
export type HeadOwner = 'site' | 'coordinator';

const FIELDS = {
  site: { seq: 'siteSeq', digest: 'siteHead' },
  coordinator: { seq: 'coordinatorSeq', digest: 'coordinatorHead' },
} as const satisfies Record<HeadOwner, object>;

/** How an entry of the other log holds this head, among what else it says. */
export function noteOfHead(owner: HeadOwner, { seq, digest }: AuditHead): AuditSubject {
  return { [FIELDS[owner].seq]: seq, [FIELDS[owner].digest]: digest };
}

/** A head that the other log noted, and the entry there that notes it. */
export interface NotedHead extends AuditHead {
  readonly notedIn: number;
}

/** The head of the owner's log that an entry of the other log notes; undefined where it notes none. */
export function headNotedIn(
  { seq: notedIn, subject }: Pick<AuditEntry, 'seq' | 'subject'>,
  owner: HeadOwner,
): NotedHead | undefined {
  const [seq, digest] = [subject[FIELDS[owner].seq], subject[FIELDS[owner].digest]];
  return typeof seq === 'number' && isDigest(digest) ? { seq, digest, notedIn } : undefined;
}

/**
 * Holds a log against what the other side noted of it. The entries of the log may come one by one, so that a long one need not be
 * in memory; {@link HeadCheck.missing} tells afterwards what is not there.
 */
export class HeadCheck {
  private readonly bySeq = new Map<number, NotedHead[]>();
  readonly count: number;

  constructor(noted: readonly NotedHead[]) {
    this.count = noted.length;
    for (const head of noted) this.bySeq.set(head.seq, [...(this.bySeq.get(head.seq) ?? []), head]);
  }

  /** An entry that this log really holds. */
  see({ seq, digest }: { readonly seq: number; readonly digest: Digest }): void {
    const rest = this.bySeq.get(seq)?.filter((head) => head.digest !== digest) ?? [];
    if (rest.length === 0) this.bySeq.delete(seq);
    else this.bySeq.set(seq, rest);
  }

  /** The first head, in the order of the other log, that no entry seen had. */
  missing(): NotedHead | undefined {
    const rest = [...this.bySeq.values()].flat();
    return rest.sort((a, b) => a.notedIn - b.notedIn)[0];
  }
}
