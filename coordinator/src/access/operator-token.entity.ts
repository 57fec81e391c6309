import type { OperatorRole } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import { TextColumn, WholeColumn } from '../records/portable-columns.js';

/** What an account's commands and programs show instead of a password, until it expires. Kept as a digest only. */
@Entity('operator_tokens')
export class OperatorToken {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @TextColumn()
  accountId!: string;

  /** What it is for. */
  @TextColumn()
  label!: string;

  /** The most that it allows, whatever the account may do. */
  @TextColumn()
  role!: OperatorRole;

  @TextColumn()
  digest!: string;

  @WholeColumn()
  createdAtMs!: number;

  @WholeColumn()
  expiresAtMs!: number;
}
