import type { RoundState } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { OptionalTextColumn, OptionalWholeColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** One exchange. A failed round keeps its row; resuming the campaign plans the same number again as the next attempt. */
@Entity('rounds')
export class Round {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  campaignId!: string;

  @WholeColumn()
  number!: number;

  @WholeColumn()
  attempt!: number;

  @TextColumn()
  state!: RoundState;

  @OptionalTextColumn()
  code!: string | null;

  /** Number of the model version that the sites start from. */
  @WholeColumn()
  baseVersion!: number;

  @WholeColumn()
  startedAtMs!: number;

  @WholeColumn()
  deadlineAtMs!: number;

  @OptionalWholeColumn()
  finishedAtMs!: number | null;
}
