import type { Digest, ErrorCode } from '@consilium/shared/kernel';
import type { ToldReport, UpdateState } from '@consilium/shared/wire';
import { Entity, PrimaryColumn } from 'typeorm';
import {
  OptionalJsonColumn,
  OptionalTextColumn,
  OptionalWholeColumn,
  TextColumn,
  WholeColumn,
} from '../records/portable-columns.js';
import type { UpdateFacts } from './update-facts.js';

/** A delivered update: at most one per participation. Its bytes are the blob of the same digest, until retention drops them. */
@Entity('updates')
export class Update {
  @PrimaryColumn({ type: 'text' })
  participationId!: string;

  /**
   * The round for which it was made: its base version is the update's. That of its participation, except for an update that
   * came with an older base.
   */
  @TextColumn()
  roundId!: string;

  /**
   * The round in which it counts: the same, or a later one where slow sites' work is buffered or an operator released it late.
   * Null as long as it counts nowhere.
   */
  @OptionalTextColumn()
  foldRoundId!: string | null;

  @TextColumn()
  state!: UpdateState;

  /** Why it is or was held back, as a code and in words with numbers. */
  @OptionalTextColumn()
  code!: ErrorCode | null;

  @OptionalTextColumn()
  reason!: string | null;

  @TextColumn()
  digest!: Digest;

  @WholeColumn()
  bytes!: number;

  /** Patches trained, as the site reports them: its weight before any cap. */
  @WholeColumn()
  patches!: number;

  /** Null when the site's own figures were refused. */
  @OptionalJsonColumn()
  report!: ToldReport | null;

  /** What was measured of the bytes on arrival; null when they could not be read as an update. */
  @OptionalJsonColumn()
  facts!: UpdateFacts | null;

  @WholeColumn()
  acceptedAtMs!: number;

  /** The operator who released or discarded it. */
  @OptionalTextColumn()
  decidedBy!: string | null;

  /** In the operator's words. */
  @OptionalTextColumn()
  decidedWhy!: string | null;

  @OptionalWholeColumn()
  decidedAtMs!: number | null;

  /** Since when its bytes are needed no more and on their way out, or gone. The row stays for good. */
  @OptionalWholeColumn()
  droppedAtMs!: number | null;
}
