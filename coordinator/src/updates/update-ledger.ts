import type { UpdateState } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { Update } from './update.entity.js';

/** States in which an update counts in the round that it names. */
const COUNTING = ['accepted', 'released'] as const;

export function isCounting({ state }: Pick<Update, 'state'>): boolean {
  return COUNTING.some((counting) => counting === state);
}

/** Which updates count in which round. Methods run inside the caller's transaction. */
@Injectable()
export class UpdateLedger {
  /** The updates that count in a round, whichever round they were made for. */
  async countedIn(records: EntityManager, roundId: string): Promise<Update[]> {
    return records.findBy(Update, { foldRoundId: roundId, state: In([...COUNTING]) });
  }

  async countInState(records: EntityManager, state: UpdateState): Promise<number> {
    return records.countBy(Update, { state });
  }

  /** All updates that were made for the given rounds or count in them. */
  async ofRounds(records: EntityManager, roundIds: readonly string[]): Promise<Update[]> {
    return records.find(Update, { where: [{ roundId: In([...roundIds]) }, { foldRoundId: In([...roundIds]) }] });
  }

  /** Accepted or released updates that wait for a round to count in. */
  async waiting(records: EntityManager, madeForRoundIds: readonly string[]): Promise<Update[]> {
    const found = await records.findBy(Update, { roundId: In([...madeForRoundIds]), state: In([...COUNTING]) });
    return found.filter(({ foldRoundId }) => foldRoundId === null);
  }

  /** The updates of a round that made no version wait for the next one. */
  async letWait(records: EntityManager, roundId: string): Promise<void> {
    for (const { participationId } of await this.countedIn(records, roundId)) {
      await records.update(Update, { participationId }, { foldRoundId: null });
    }
  }

  /** Lets the updates count in the round. */
  async countIn(records: EntityManager, updates: readonly Update[], roundId: string): Promise<void> {
    for (const update of updates)
      await records.update(Update, { participationId: update.participationId }, { foldRoundId: roundId });
  }
}
