import type { Monitors, ProbeScore } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { JsonColumn, OptionalJsonColumn, TextColumn, WholeColumn, WholeKeyColumn } from '../records/portable-columns.js';

/** How one version does on one site's frozen probe; the latest report counts. */
@Entity('version_scores')
export class VersionScore {
  @PrimaryColumn({ type: 'text' })
  campaignId!: string;

  @WholeKeyColumn()
  versionNumber!: number;

  @PrimaryColumn({ type: 'text' })
  siteId!: string;

  @TextColumn()
  siteName!: string;

  @JsonColumn()
  score!: ProbeScore;

  /** Null for a model without heads, and of a site that did not report them. */
  @OptionalJsonColumn()
  monitors!: Monitors | null;

  @WholeColumn()
  reportedAtMs!: number;
}
