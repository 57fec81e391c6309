import type { Digest } from '@consilium/shared/kernel';
import type { UpdateReport } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { JsonColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** An accepted update: at most one per participation. Its bytes are the blob of the same digest. */
@Entity('updates')
export class Update {
  @PrimaryColumn({ type: 'text' })
  participationId!: string;

  @TextColumn()
  roundId!: string;

  @TextColumn()
  digest!: Digest;

  @WholeColumn()
  bytes!: number;

  /** Patches trained, as the site reports them: its weight before any cap. */
  @WholeColumn()
  patches!: number;

  @JsonColumn()
  report!: UpdateReport;

  @WholeColumn()
  acceptedAtMs!: number;
}
