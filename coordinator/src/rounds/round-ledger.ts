import { type Clock, type Digest, newId } from '@consilium/shared/kernel';
import {
  type AuditSubject,
  type CampaignEvent,
  type ParticipationState,
  roundPlaceView,
  type RoundState,
  type UpdateMonitors,
} from '@consilium/shared/wire';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { CLOCK } from '../ports.js';
import { Participation } from './participation.entity.js';
import { Round } from './round.entity.js';
import { isParticipationOpen, isRoundOpen, OPEN_PARTICIPATION_STATES, requireRoundMove } from './round-states.js';

interface CampaignName {
  readonly id: string;
  readonly name: string;
}

/** What a move of a round says beyond its state. */
export interface RoundResult {
  readonly code?: string | undefined;
  readonly versionDigest?: Digest;
  /** Required sites that a failed round lacked. */
  readonly missingSites?: readonly string[];
  /** Of the updates that made the version. */
  readonly monitors?: UpdateMonitors | undefined;
}

export interface RoundToPlan {
  readonly number: number;
  readonly baseVersion: number;
  readonly deadlineMs: number;
  readonly cohort: readonly CampaignName[];
}

/** Rounds and participations with their legal moves. Methods run inside the caller's transaction and return events to publish. */
@Injectable()
export class RoundLedger {
  constructor(
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async latest(records: EntityManager, campaignId: string): Promise<Round | null> {
    return records.findOne(Round, { where: { campaignId }, order: { number: 'DESC', attempt: 'DESC' } });
  }

  async get(records: EntityManager, roundId: string): Promise<Round | null> {
    return records.findOneBy(Round, { id: roundId });
  }

  /** All rounds of a campaign in the order in which they were planned. */
  async roundsOf(records: EntityManager, campaignId: string): Promise<Round[]> {
    return records.find(Round, { where: { campaignId }, order: { number: 'ASC', attempt: 'ASC' } });
  }

  /** In site-name order. */
  async participationsOf(records: EntityManager, roundIds: readonly string[]): Promise<Participation[]> {
    return records.find(Participation, { where: { roundId: In([...roundIds]) }, order: { siteName: 'ASC' } });
  }

  /** Sites that were invited to the round. */
  async countInvited(records: EntityManager, roundId: string): Promise<number> {
    return records.countBy(Participation, { roundId });
  }

  /** Participations of a campaign's earlier rounds whose sites are still at work, in site-name order: buffered rounds only. */
  async carriedOver(records: EntityManager, campaignId: string, exceptRoundId?: string): Promise<Participation[]> {
    const rounds = await records.find(Round, { where: { campaignId } });
    const roundIds = rounds.map(({ id }) => id).filter((id) => id !== exceptRoundId);
    return records.find(Participation, {
      where: { roundId: In(roundIds), state: In([...OPEN_PARTICIPATION_STATES]) },
      order: { siteName: 'ASC' },
    });
  }

  async participationsById(records: EntityManager, ids: readonly string[]): Promise<Participation[]> {
    return records.find(Participation, { where: { id: In([...ids]) }, order: { siteName: 'ASC' } });
  }

  async participation(records: EntityManager, id: string, siteId: string): Promise<Participation | null> {
    return records.findOneBy(Participation, { id, siteId });
  }

  /** The site's participations that have not ended, oldest first. */
  async openOf(records: EntityManager, siteId: string): Promise<Participation[]> {
    return records.find(Participation, {
      where: { siteId, state: In([...OPEN_PARTICIPATION_STATES]) },
      order: { invitedAtMs: 'ASC', id: 'ASC' },
    });
  }

  /** Of all sites, those that have not ended. */
  async open(records: EntityManager): Promise<Participation[]> {
    return records.findBy(Participation, { state: In([...OPEN_PARTICIPATION_STATES]) });
  }

  /** Writes the round and an invitation for each site of the cohort. */
  async plan(records: EntityManager, campaign: Campaign, plan: RoundToPlan): Promise<{ event: CampaignEvent; roundId: string }> {
    const nowMs = this.clock.nowMs();
    const attempt = 1 + (await records.countBy(Round, { campaignId: campaign.id, number: plan.number }));
    const round: Round = {
      id: newId('round'),
      campaignId: campaign.id,
      number: plan.number,
      attempt,
      state: 'planned' as const,
      code: null,
      baseVersion: plan.baseVersion,
      startedAtMs: nowMs,
      deadlineAtMs: nowMs + plan.deadlineMs,
      finishedAtMs: null,
    };
    await records.insert(Round, round);
    const invitations = plan.cohort.map(({ id, name }) => ({
      id: newId('part'),
      roundId: round.id,
      siteId: id,
      siteName: name,
      state: 'invited' as const,
      code: null,
      invitedAtMs: nowMs,
      deliveredAtMs: null,
    }));
    await records.insert(Participation, invitations);
    const sites = plan.cohort.map(({ name }) => name);
    await this.note(records, 'round-planned', campaign, round, { attempt, baseVersion: plan.baseVersion, sites });
    return { event: this.roundEvent(campaign, round), roundId: round.id };
  }

  async moveRound(
    records: EntityManager,
    campaign: Campaign,
    round: Round,
    to: RoundState,
    result: RoundResult = {},
  ): Promise<CampaignEvent> {
    requireRoundMove(round.state, to);
    round.state = to;
    round.code = result.code ?? null;
    if (to === 'finished' || to === 'failed' || to === 'cancelled') round.finishedAtMs = this.clock.nowMs();
    const { state, code, finishedAtMs } = round;
    await records.update(Round, { id: round.id }, { state, code, finishedAtMs });
    const { attempt } = round;
    if (!isRoundOpen(to))
      await this.note(records, `round-${to}`, campaign, round, { attempt, code, version: result.versionDigest ?? null });
    return this.roundEvent(campaign, round, result);
  }

  /** Ends every participation that is still open. */
  async closeOpen(
    records: EntityManager,
    campaign: CampaignName,
    round: Round,
    participations: readonly Participation[],
    code: string,
  ): Promise<CampaignEvent[]> {
    const events: CampaignEvent[] = [];
    for (const participation of participations.filter(({ state }) => isParticipationOpen(state))) {
      events.push(await this.moveParticipation(records, campaign, round, participation, 'late', code));
    }
    return events;
  }

  /** The caller has checked with the state table that the move is news. */
  async moveParticipation(
    records: EntityManager,
    campaign: CampaignName,
    round: Round,
    participation: Participation,
    to: ParticipationState,
    code?: string,
  ): Promise<CampaignEvent> {
    participation.state = to;
    participation.code = code ?? null;
    if (to === 'delivered') participation.deliveredAtMs = this.clock.nowMs();
    const { state, deliveredAtMs } = participation;
    await records.update(Participation, { id: participation.id }, { state, code: participation.code, deliveredAtMs });
    if (!isParticipationOpen(to))
      await this.note(records, `part-${to}`, campaign, round, { site: participation.siteName, code: participation.code });
    return {
      kind: 'participation',
      ...this.reference(campaign),
      ...(isRoundOpen(round.state) ? { ...nameOf(round), participationId: participation.id } : { roundNumber: round.number }),
      siteName: participation.siteName,
      state: to,
      ...(code === undefined ? {} : { code }),
    };
  }

  private async note(
    records: EntityManager,
    kind: string,
    { name }: CampaignName,
    { number }: Round,
    subject: AuditSubject,
  ): Promise<void> {
    await this.audit.append(records, { kind, actor: 'coordinator', subject: { campaign: name, round: number, ...subject } });
  }

  private roundEvent(campaign: Campaign, round: Round, result: RoundResult = {}): CampaignEvent {
    const { versionDigest, missingSites, monitors } = result;
    const place = roundPlaceView(campaign.plan, round.number);
    return {
      kind: 'round',
      ...this.reference(campaign),
      ...nameOf(round),
      ...(place === undefined ? {} : { place }),
      state: round.state,
      ...(round.code === null ? {} : { code: round.code }),
      ...(versionDigest === undefined ? {} : { versionDigest }),
      ...(missingSites === undefined || missingSites.length === 0 ? {} : { missingSites: [...missingSites] }),
      ...(monitors === undefined ? {} : { monitors }),
    };
  }

  private reference({ id, name }: CampaignName): { campaignId: string; campaignName: string; atMs: number } {
    return { campaignId: id, campaignName: name, atMs: this.clock.nowMs() };
  }
}

function nameOf({ id, number, attempt }: Round): { roundNumber: number; roundId: string; attempt: number } {
  return { roundNumber: number, roundId: id, attempt };
}
