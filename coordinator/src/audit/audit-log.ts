import type { Clock } from '@consilium/shared/kernel';
import { AUDIT_BEGINNING, auditDigest, type AuditEntry, type AuditHead, type AuditSubject } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, MoreThan } from 'typeorm';
import { CLOCK } from '../ports.js';
import { AuditRecord } from './audit-record.entity.js';

export interface AuditFact {
  readonly kind: string;
  readonly actor: AuditActor;
  readonly subject: AuditSubject;
}

/** Who did it: a signed-in operator, whoever holds the home folder's token, a site, or the coordinator by its rules. */
export type AuditActor = 'operator' | 'coordinator' | `operator:${string}` | `site:${string}`;

/** The append-only log of who did what. Methods run inside the caller's transaction: a fact without its entry cannot be. */
@Injectable()
export class AuditLog {
  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  async append(records: EntityManager, { kind, actor, subject }: AuditFact): Promise<void> {
    const last = await this.head(records);
    const previous = last?.digest ?? AUDIT_BEGINNING;
    const entry = { seq: (last?.seq ?? 0) + 1, atMs: this.clock.nowMs(), kind, actor, subject, previous };
    await records.insert(AuditRecord, { ...entry, digest: auditDigest(entry) });
  }

  /** The newest entry; undefined before the first one. */
  async head(records: EntityManager): Promise<AuditHead | undefined> {
    const last = await records.findOne(AuditRecord, { where: {}, order: { seq: 'DESC' } });
    return last === null ? undefined : { seq: last.seq, digest: last.digest };
  }

  /** In order. */
  async after(records: EntityManager, seq: number, limit: number): Promise<AuditEntry[]> {
    return records.find(AuditRecord, { where: { seq: MoreThan(seq) }, order: { seq: 'ASC' }, take: limit });
  }
}
