import type { Digest } from '@consilium/shared/kernel';
import type { AuditSubject } from '@consilium/shared/wire';
import { Entity } from 'typeorm';
import { JsonColumn, TextColumn, WholeColumn, WholeKeyColumn } from '../records/portable-columns.js';

/** An entry of the audit log. Written with the fact that it tells of, in one transaction; never changed, never removed. */
@Entity('audit_entries')
export class AuditRecord {
  @WholeKeyColumn()
  seq!: number;

  @WholeColumn()
  atMs!: number;

  @TextColumn()
  kind!: string;

  @TextColumn()
  actor!: string;

  @JsonColumn()
  subject!: AuditSubject;

  @TextColumn()
  previous!: Digest;

  @TextColumn()
  digest!: Digest;
}
