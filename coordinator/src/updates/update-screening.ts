import { type ErrorCode } from '@consilium/shared/kernel';
import { frozenAdversary, partOfRound, type RoundPart } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { Round } from '../rounds/round.entity.js';
import { type NormFacts, screenUpdates } from './screen-updates.js';
import { Update } from './update.entity.js';
import { UpdateSketch } from './update-sketch.entity.js';

/** Finished rounds whose updates a small round is compared with. */
const EARLIER_ROUNDS = 5;

/** What screening took out of a round. */
export interface ScreeningResult {
  readonly quarantined: readonly { readonly participationId: string; readonly code: ErrorCode }[];
}

/** Compares the updates of a round with one another before they are folded. */
@Injectable()
export class UpdateScreening {
  /**
   * Holds back the round's accepted updates that {@link screenUpdates} finds far from the others: they count nowhere until an
   * operator releases them. Released updates are neither judged nor compared with; nor are the gradients of adversary rounds,
   * nor updates of the central form of privacy. Only rows are read, no file. Runs inside the
   * caller's transaction, each time a round is about to close: the caller ends the participations named in the answer and looks at
   * the round again, or closes it when there are none.
   */
  async screen(records: EntityManager, { id: campaignId, plan }: Campaign, round: Round): Promise<ScreeningResult> {
    const { id: foldRoundId } = round;
    const accepted = await records.findBy(Update, { foldRoundId, state: 'accepted' });
    const ids = accepted.map(({ participationId }) => participationId);
    const sketches = await records.findBy(UpdateSketch, { participationId: In(ids) });
    const sketchOf = new Map(sketches.map(({ participationId, sketch }) => [participationId, sketch]));
    const judged = accepted.flatMap(({ participationId, facts, report }) => {
      const sketch = sketchOf.get(participationId);
      if (facts === null || report === null || sketch === undefined) return []; // accepted before updates were measured
      return [{ participationId, norm: facts.norm, steps: report.steps, sketch }];
    });
    const part = partOfRound(plan.objective, round.number);
    // Gradients of sites with different modalities differ in size and oppose each other by nature; Adam bounds what each can do.
    // Noise on a sum covers one update more or less in it. Comparing would make it two: whether a site delivers could decide which of
    // the others are held back. And the clip bounds what each can do.
    const comparesNone = part === 'adversary' || plan.privacy?.form === 'central';
    const findings = comparesNone
      ? []
      : screenUpdates(judged, await this.earlierUpdates(records, campaignId, plan, part), plan.screening);
    for (const { participationId, code, reason } of findings) {
      await records.update(Update, { participationId }, { state: 'quarantined', code, reason, foldRoundId: null });
    }
    // What has been judged for good needs no sketch any more.
    const settled = findings.length > 0 ? findings.map(({ participationId }) => participationId) : ids;
    if (settled.length > 0) await records.delete(UpdateSketch, { participationId: In(settled) });
    return { quarantined: findings };
  }

  private async earlierUpdates(
    records: EntityManager,
    campaignId: string,
    { objective }: Campaign['plan'],
    part: RoundPart,
  ): Promise<NormFacts[]> {
    const cycle = 1 + (frozenAdversary(objective)?.subRounds ?? 0);
    const finished = await records.find(Round, {
      where: { campaignId, state: 'finished' },
      order: { number: 'DESC' },
      take: EARLIER_ROUNDS * cycle,
    });
    const rounds = finished.filter(({ number }) => partOfRound(objective, number) === part);
    const counted = await records.findBy(Update, { foldRoundId: In(rounds.map(({ id }) => id)), state: 'accepted' });
    return counted.flatMap(({ facts, report }) =>
      facts === null || report === null ? [] : [{ norm: facts.norm, steps: report.steps }],
    );
  }
}
