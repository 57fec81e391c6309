import type { Digest } from '@consilium/shared/kernel';
import { Entity, PrimaryColumn } from 'typeorm';
import { OptionalTextColumn, OptionalWholeColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** Numbered immutable weights of a campaign; version 1 is the seeded start. */
@Entity('model_versions')
export class ModelVersion {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  campaignId!: string;

  @WholeColumn()
  number!: number;

  @TextColumn()
  digest!: Digest;

  @WholeColumn()
  bytes!: number;

  /** What the campaign's recipe carries from round to round (moments, control variates, what rounding took), as a file of its own. */
  @OptionalTextColumn()
  stateDigest!: Digest | null;

  @OptionalWholeColumn()
  stateBytes!: number | null;

  /** The file by which it is made from its parent; null where a site must fetch it whole. */
  @OptionalTextColumn()
  deltaDigest!: Digest | null;

  @OptionalWholeColumn()
  deltaBytes!: number | null;

  @OptionalWholeColumn()
  parentNumber!: number | null;

  /** The round that produced it; null for version 1. */
  @OptionalTextColumn()
  roundId!: string | null;

  @WholeColumn()
  createdAtMs!: number;

  /** The name under which it is kept whatever the rules of retention say. */
  @OptionalTextColumn()
  pin!: string | null;

  /** Since when its files (weights, state, delta) are needed no more and on their way out, or gone. The row stays for good. */
  @OptionalWholeColumn()
  droppedAtMs!: number | null;
}
