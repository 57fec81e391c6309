import type { ParticipationState } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { OptionalTextColumn, OptionalWholeColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** One site's part in one round. */
@Entity('participations')
export class Participation {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  roundId!: string;

  @TextColumn()
  siteId!: string;

  @TextColumn()
  siteName!: string;

  @TextColumn()
  state!: ParticipationState;

  @OptionalTextColumn()
  code!: string | null;

  @WholeColumn()
  invitedAtMs!: number;

  @OptionalWholeColumn()
  deliveredAtMs!: number | null;
}
