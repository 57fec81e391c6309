import { type Clock, parseDurationMs } from '@consilium/shared/kernel';
import { type CampaignEvent, isBuffered, partOfRound } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { ModelLedger } from '../models/model-ledger.js';
import { CLOCK } from '../ports.js';
import { SiteDirectory } from '../sites/site-directory.js';
import type { Update } from '../updates/update.entity.js';
import { UpdateLedger } from '../updates/update-ledger.js';
import { selectCohort } from './cohort-selection.js';
import type { Participation } from './participation.entity.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';

/** Plans rounds: base version, cohort, deadline, and the late updates that count in it. Inside the caller's transaction. */
@Injectable()
export class RoundPlanner {
  constructor(
    private readonly ledger: RoundLedger,
    private readonly updates: UpdateLedger,
    private readonly models: ModelLedger,
    private readonly sites: SiteDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Writes the next round with the newest version as its base; also used to try a failed round once more. What sites delivered
   * from this base for a round that made no version counts now, and they are not asked for the same work again.
   */
  async plan(records: EntityManager, campaign: Campaign, number: number): Promise<CampaignEvent> {
    const { plan } = campaign;
    const deadlineMs = parseDurationMs(plan.deadline);
    const baseVersion = (await this.models.newest(records, campaign.id)).number;
    const atWork = isBuffered(plan.recipe) ? await this.stillAtWork(records, campaign, baseVersion) : [];
    const rounds = await this.ledger.roundsOf(records, campaign.id);
    const waiting = await this.waitingFor(records, campaign, { number, baseVersion }, rounds);
    const delivered = await this.deliveredFrom(records, baseVersion, rounds, waiting);
    const busy = new Set([...atWork, ...delivered].map(({ siteId }) => siteId));
    const enrolled = new Map((await this.sites.enrolled(records)).map((site) => [site.id, site]));
    const candidates = campaign.sites.map(({ id, name }) => ({
      id,
      name,
      isAvailable: enrolled.has(id) && !busy.has(id),
      restUntilMs: enrolled.get(id)?.restUntilMs ?? null,
    }));
    const cohort = selectCohort(candidates, {
      seed: plan.seed,
      roundNumber: number,
      deadlineAtMs: this.clock.nowMs() + deadlineMs,
      requiredSites: plan.requiredSites ?? [],
      sites: plan.cohort === undefined ? undefined : Math.max(0, plan.cohort.sites - busy.size),
    });
    const { event, roundId } = await this.ledger.plan(records, campaign, { number, baseVersion, deadlineMs, cohort });
    await this.updates.countIn(records, waiting, roundId);
    return event;
  }

  /**
   * Updates that wait for a round and fit this one: they hold what it trains, and gradients count only at the point at which they
   * were taken.
   */
  private async waitingFor(
    records: EntityManager,
    { plan: { objective } }: Campaign,
    next: Pick<Round, 'number' | 'baseVersion'>,
    rounds: readonly Round[],
  ): Promise<Update[]> {
    const rowOf = new Map(rounds.map((round) => [round.id, round]));
    const waiting = await this.updates.waiting(records, [...rowOf.keys()]);
    const part = partOfRound(objective, next.number);
    if (part === 'all' || waiting.length === 0) return waiting;
    const ids = waiting.map(({ participationId }) => participationId);
    const invitedFor = new Map((await this.ledger.participationsById(records, ids)).map(({ id, roundId }) => [id, roundId]));
    return waiting.filter(({ participationId, roundId }) => {
      const asked = rowOf.get(invitedFor.get(participationId) ?? '');
      if (asked === undefined || partOfRound(objective, asked.number) !== part) return false;
      return part === 'representation' || rowOf.get(roundId)?.baseVersion === next.baseVersion;
    });
  }

  /** The participations of waiting updates that were made from this very version. */
  private async deliveredFrom(
    records: EntityManager,
    baseVersion: number,
    rounds: readonly Round[],
    waiting: readonly Update[],
  ): Promise<Participation[]> {
    const sameBase = new Set(rounds.filter((round) => round.baseVersion === baseVersion).map(({ id }) => id));
    const ids = waiting.filter(({ roundId }) => sameBase.has(roundId)).map(({ participationId }) => participationId);
    return ids.length === 0 ? [] : this.ledger.participationsById(records, ids);
  }

  /** Carried-over participations; those whose base is too many versions old by now are ended, and their sites invited anew. */
  private async stillAtWork(records: EntityManager, campaign: Campaign, baseVersion: number): Promise<Participation[]> {
    const { recipe } = campaign.plan;
    const carried = await this.ledger.carriedOver(records, campaign.id);
    if (recipe.name !== 'fedbuff' || carried.length === 0) return carried;
    const rounds = new Map((await this.ledger.roundsOf(records, campaign.id)).map((round) => [round.id, round]));
    const isTooOld = ({ roundId }: Participation): boolean =>
      baseVersion - (rounds.get(roundId)?.baseVersion ?? 0) > recipe.maximumStaleness;
    for (const participation of carried.filter(isTooOld)) {
      const round = rounds.get(participation.roundId);
      if (round !== undefined)
        await this.ledger.moveParticipation(records, campaign, round, participation, 'late', 'UPDATE_BASE_STALE');
    }
    return carried.filter((participation) => !isTooOld(participation));
  }
}
