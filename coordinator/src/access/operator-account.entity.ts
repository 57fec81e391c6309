import type { OperatorAccountView, OperatorRole } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { OptionalWholeColumn, TextColumn, WholeColumn } from '../records/portable-columns.js';

/** A human who commands. The password is kept as a digest only. */
@Entity('operator_accounts')
export class OperatorAccount {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  name!: string;

  @TextColumn()
  role!: OperatorRole;

  @TextColumn()
  state!: OperatorAccountView['state'];

  /** See {@link digestPassword}. */
  @TextColumn()
  passwordDigest!: string;

  @WholeColumn()
  createdAtMs!: number;

  @OptionalWholeColumn()
  lastSignInAtMs!: number | null;
}
