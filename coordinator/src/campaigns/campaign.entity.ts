import type { CampaignPlan, CampaignState } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { JsonColumn, OptionalTextColumn, OptionalWholeColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** A site that a campaign was started with; names never change. */
export interface CampaignSite {
  readonly id: string;
  readonly name: string;
}

@Entity('campaigns')
export class Campaign {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  name!: string;

  @TextColumn()
  state!: CampaignState;

  @OptionalTextColumn()
  code!: string | null;

  @JsonColumn()
  plan!: CampaignPlan;

  /** In name order, fixed when the campaign starts. */
  @JsonColumn()
  sites!: CampaignSite[];

  @WholeColumn()
  createdAtMs!: number;

  @OptionalWholeColumn()
  scoringSinceMs!: number | null;

  @OptionalWholeColumn()
  finishedAtMs!: number | null;
}
