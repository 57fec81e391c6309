import type { Digest } from '@consilium/shared/kernel';
import { Entity, PrimaryColumn } from 'typeorm';
import { WholeColumn } from '../records/portable-columns.js';

/** A file that its rows need no more: written with them, taken out when the file is gone, so that a crash between forgets none. */
@Entity('dropped_files')
export class DroppedFile {
  @PrimaryColumn({ type: 'text' })
  digest!: Digest;

  @WholeColumn()
  droppedAtMs!: number;
}
