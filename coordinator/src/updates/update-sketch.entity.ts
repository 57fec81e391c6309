import { Entity, PrimaryColumn } from 'typeorm';
import { TextColumn } from '../records/portable-columns.js';

/** The random projection of an accepted update, from its arrival until its round is screened: a few kilobytes, seldom read. */
@Entity('update_sketches')
export class UpdateSketch {
  @PrimaryColumn({ type: 'text' })
  participationId!: string;

  /** Base64 of 32-bit floats. */
  @TextColumn()
  sketch!: string;
}
