import { type Clock, parseDurationMs } from '@consilium/shared/kernel';
import type { CampaignEvent } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { decideCampaign, type ScoringFacts } from '../campaigns/decide-campaign.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { Presence } from '../live/presence.js';
import { ModelLedger } from '../models/model-ledger.js';
import { CLOCK, CONFIG } from '../ports.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { UpdateScreening } from '../updates/update-screening.js';
import { selectCohort } from './cohort-selection.js';
import { decideRound, type RoundDecision } from './decide-round.js';
import type { Participation } from './participation.entity.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';
import { isRoundOpen } from './round-states.js';

/** What one step did; events and nudges go out after the commit. */
export interface StepResult {
  readonly hasMoved: boolean;
  readonly events: readonly CampaignEvent[];
  /** Sites that should ask for their assignment. */
  readonly nudges: readonly string[];
  /** The round whose updates are to be folded, if any. */
  readonly fold?: string;
}

const STANDS_STILL: StepResult = { hasMoved: false, events: [], nudges: [] };

/** Reads the facts of one campaign, asks the pure rules, applies their one decision; inside the caller's transaction. */
@Injectable()
export class CampaignStep {
  private readonly startedAtMs: number;

  constructor(
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly models: ModelLedger,
    private readonly sites: SiteDirectory,
    private readonly presence: Presence,
    private readonly screening: UpdateScreening,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.startedAtMs = clock.nowMs();
  }

  async take(records: EntityManager, campaignId: string): Promise<StepResult> {
    const campaign = await this.register.get(records, campaignId);
    const latest = await this.ledger.latest(records, campaignId);
    if (latest !== null && isRoundOpen(latest.state)) return this.stepRound(records, campaign, latest);
    const scoring = campaign.state === 'scoring' ? await this.scoringFacts(records, campaign) : null;
    const facts = { state: campaign.state, rounds: campaign.plan.rounds, latestRound: latest };
    const decision = decideCampaign(facts, scoring, this.clock.nowMs());
    switch (decision.kind) {
      case 'plan-round':
        return this.planRound(records, campaign, decision.number);
      case 'move': {
        const event = await this.register.move(records, campaign, decision.to, 'code' in decision ? decision.code : null);
        return { hasMoved: true, events: [event], nudges: campaign.sites.map(({ id }) => id) };
      }
      case 'none':
        return STANDS_STILL;
    }
  }

  /** Writes the next round with the newest version as its base; also used to try a failed round once more. */
  async planRound(records: EntityManager, campaign: Campaign, number: number): Promise<StepResult> {
    const enrolled = new Set((await this.sites.enrolled(records)).map(({ id }) => id));
    const event = await this.ledger.plan(records, campaign, {
      number,
      baseVersion: (await this.models.newest(records, campaign.id)).number,
      deadlineMs: parseDurationMs(campaign.plan.deadline),
      cohort: selectCohort(campaign.sites, ({ id }) => enrolled.has(id)),
    });
    return { hasMoved: true, events: [event], nudges: [] };
  }

  private async stepRound(records: EntityManager, campaign: Campaign, round: Round): Promise<StepResult> {
    const participations = await this.ledger.participationsOf(records, [round.id]);
    const { quorum, grace } = campaign.plan;
    const facts = { state: round.state, deadlineAtMs: round.deadlineAtMs, quorum, graceMs: parseDurationMs(grace) };
    const decision = decideRound(facts, participations, this.clock.nowMs());
    return this.applyToRound(records, campaign, round, participations, decision);
  }

  private async applyToRound(
    records: EntityManager,
    campaign: Campaign,
    round: Round,
    participations: readonly Participation[],
    decision: RoundDecision,
  ): Promise<StepResult> {
    const siteIds = participations.map(({ siteId }) => siteId);
    switch (decision.kind) {
      case 'move': {
        const event = await this.ledger.moveRound(records, campaign, round, decision.to);
        return { hasMoved: true, events: [event], nudges: decision.to === 'inviting' ? siteIds : [] };
      }
      case 'close': {
        const held = decision.to === 'aggregating' ? await this.screen(records, campaign, round, participations) : [];
        if (held.length > 0) return { hasMoved: true, events: held, nudges: [] };
        const closed = await this.ledger.closeOpen(records, campaign, round, participations, 'ROUND_CLOSED');
        const code = 'code' in decision ? decision.code : undefined;
        const event = await this.ledger.moveRound(records, campaign, round, decision.to, { code });
        return { hasMoved: true, events: [...closed, event], nudges: siteIds };
      }
      case 'fold':
        return { ...STANDS_STILL, fold: round.id };
      case 'wait':
      case 'done':
        return STANDS_STILL;
    }
  }

  /** Updates that are far from the others no longer count; the round goes on without them. */
  private async screen(
    records: EntityManager,
    campaign: Campaign,
    round: Round,
    participations: readonly Participation[],
  ): Promise<CampaignEvent[]> {
    const events: CampaignEvent[] = [];
    for (const { participationId, code } of (await this.screening.screen(records, campaign, round)).quarantined) {
      const participation = participations.find(({ id }) => id === participationId);
      if (participation === undefined) continue;
      events.push(await this.ledger.moveParticipation(records, campaign, round, participation, 'quarantined', code));
    }
    return events;
  }

  private async scoringFacts(records: EntityManager, campaign: Campaign): Promise<ScoringFacts> {
    const sinceMs = campaign.scoringSinceMs ?? this.clock.nowMs();
    const { number } = await this.models.newest(records, campaign.id);
    const enrolled = new Set((await this.sites.enrolled(records)).map(({ id }) => id));
    const sites = [];
    for (const { id } of campaign.sites.filter((site) => enrolled.has(site.id))) {
      const hasReported = await this.models.hasScore(records, campaign.id, number, id);
      sites.push({ isConnected: this.presence.isConnected(id), hasReported });
    }
    return {
      limitAtMs: sinceMs + this.config.scoringLimitMs,
      presenceAtMs: Math.max(sinceMs, this.startedAtMs) + this.config.scoringPresenceMs,
      sites,
    };
  }
}
