import type { PublicKey } from '@consilium/shared/identity';
import type { SiteView } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import {
  OptionalJsonColumn,
  OptionalTextColumn,
  OptionalWholeColumn,
  TextColumn,
  WholeColumn,
} from '../records/portable-columns.js';

/** An institution. Secrets are kept as digests only. */
@Entity('sites')
export class Site {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  name!: string;

  @TextColumn()
  state!: SiteView['state'];

  @OptionalTextColumn()
  tokenDigest!: string | null;

  @OptionalWholeColumn()
  tokenExpiresAtMs!: number | null;

  /** Of a bearer credential; null for a site that signs. */
  @OptionalTextColumn()
  credentialDigest!: string | null;

  /** The key that the site signs with, and its thumbprint. */
  @OptionalJsonColumn()
  publicKey!: PublicKey | null;

  @OptionalTextColumn()
  keyThumbprint!: string | null;

  /** Of the newest signed credential. */
  @OptionalWholeColumn()
  credentialExpiresAtMs!: number | null;

  @OptionalTextColumn()
  agentVersion!: string | null;

  /** Spoken when it last connected. */
  @OptionalWholeColumn()
  protocolVersion!: number | null;

  /** Until when the site has said that it does not train. */
  @OptionalWholeColumn()
  restUntilMs!: number | null;

  @WholeColumn()
  createdAtMs!: number;

  @OptionalWholeColumn()
  enrolledAtMs!: number | null;

  @OptionalWholeColumn()
  lastSeenAtMs!: number | null;
}
