import { type ErrorCode } from '@consilium/shared/kernel';
import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { Round } from '../rounds/round.entity.js';
import { type NormFacts, screenUpdates } from './screen-updates.js';
import { Update } from './update.entity.js';

/** Updates of the last rounds that small rounds are compared with. */
const EARLIER_UPDATES = 15;

/** What screening took out of a round. */
export interface ScreeningResult {
  readonly quarantined: readonly { readonly participationId: string; readonly code: ErrorCode }[];
}

/** Compares the updates of a round with one another before they are folded. Methods run inside the caller's transaction. */
@Injectable()
export class UpdateScreening {
  /**
   * Holds back the round's accepted updates that {@link screenUpdates} finds far from the others: they count nowhere until an
   * operator releases them. Released updates are neither judged nor compared with. Only rows are read, no file. Call it each
   * time a round is about to close; the caller ends the participations named in the answer.
   */
  async screen(records: EntityManager, { id: campaignId, plan }: Campaign, { id: foldRoundId }: Round): Promise<ScreeningResult> {
    const rows = await records
      .createQueryBuilder(Update, 'delivered')
      .addSelect('delivered.facts')
      .where({ foldRoundId, state: 'accepted' })
      .getMany();
    const judged = rows.flatMap(({ participationId, facts, report }) =>
      facts === null || report === null ? [] : [{ participationId, ...facts, steps: report.steps }],
    );
    const findings = screenUpdates(judged, await this.earlierUpdates(records, campaignId), plan.screening);
    for (const { participationId, code, reason } of findings) {
      await records.update(Update, { participationId }, { state: 'quarantined', code, reason, foldRoundId: null });
    }
    return { quarantined: findings };
  }

  /** Released updates that no round has taken up yet, in the order of their ids: they belong into the next round planned. */
  async pendingReleases(records: EntityManager, campaignId: string): Promise<Update[]> {
    return records
      .createQueryBuilder(Update, 'released')
      .innerJoin(Round, 'round', 'round.id = released.roundId')
      .where('round.campaignId = :campaignId', { campaignId })
      .andWhere(`released.state = 'released' AND released.foldRoundId IS NULL`)
      .orderBy('released.participationId')
      .getMany();
  }

  private async earlierUpdates(records: EntityManager, campaignId: string): Promise<NormFacts[]> {
    const rows = await records
      .createQueryBuilder(Update, 'counted')
      .addSelect('counted.facts')
      .innerJoin(Round, 'round', 'round.id = counted.foldRoundId')
      .where(`round.campaignId = :campaignId AND round.state = 'finished'`, { campaignId })
      .andWhere(`counted.state = 'accepted'`)
      .orderBy('round.number', 'DESC')
      .addOrderBy('counted.participationId')
      .limit(EARLIER_UPDATES)
      .getMany();
    return rows.flatMap(({ facts, report }) => (facts === null || report === null ? [] : [{ norm: facts.norm, steps: report.steps }]));
  }
}
