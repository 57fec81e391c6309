import { type Clock, parseDurationMs } from '@consilium/shared/kernel';
import { type CampaignEvent, isBuffered, keepsFigures } from '@consilium/shared/wire';
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
import { UpdateLedger } from '../updates/update-ledger.js';
import { UpdateScreening } from '../updates/update-screening.js';
import { decideRound, type RoundDecision } from './decide-round.js';
import type { Participation } from './participation.entity.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';
import { RoundParts, type Parts } from './round-parts.js';
import { RoundPlanner } from './round-planner.js';
import { isParticipationOpen, isRoundOpen } from './round-states.js';

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
    private readonly parts: RoundParts,
    private readonly planner: RoundPlanner,
    private readonly updates: UpdateLedger,
    private readonly screening: UpdateScreening,
    private readonly models: ModelLedger,
    private readonly sites: SiteDirectory,
    private readonly presence: Presence,
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
    const { rounds, attempts } = campaign.plan;
    const decision = decideCampaign(
      { state: campaign.state, rounds, attempts, latestRound: latest },
      scoring,
      this.clock.nowMs(),
    );
    switch (decision.kind) {
      case 'plan-round':
        return { hasMoved: true, events: [await this.planner.plan(records, campaign, decision.number)], nudges: [] };
      case 'move': {
        const closed = await this.closeCarriedOver(records, campaign, latest);
        const event = await this.register.move(records, campaign, decision.to, {
          by: 'coordinator',
          code: 'code' in decision ? decision.code : null,
        });
        return { hasMoved: true, events: [...closed, event], nudges: campaign.sites.map(({ id }) => id) };
      }
      case 'none':
        return STANDS_STILL;
    }
  }

  private async stepRound(records: EntityManager, campaign: Campaign, round: Round): Promise<StepResult> {
    const { quorum, grace, recipe, requiredSites = [] } = campaign.plan;
    const parts = await this.parts.of(records, campaign, round);
    const rule = { quorum, graceMs: parseDurationMs(grace), requiredSites, isBuffered: isBuffered(recipe) };
    const facts = { state: round.state, deadlineAtMs: round.deadlineAtMs, ...rule };
    const decision = decideRound(facts, parts.facts, this.clock.nowMs());
    return this.applyToRound(records, campaign, round, parts, decision);
  }

  private async applyToRound(
    records: EntityManager,
    campaign: Campaign,
    round: Round,
    parts: Parts,
    decision: RoundDecision,
  ): Promise<StepResult> {
    const { participations } = parts;
    const siteIds = participations.map(({ siteId }) => siteId);
    switch (decision.kind) {
      case 'move': {
        const event = await this.ledger.moveRound(records, campaign, round, decision.to);
        return { hasMoved: true, events: [event], nudges: decision.to === 'inviting' ? siteIds : [] };
      }
      case 'close': {
        if (decision.to === 'failed') {
          const closed = await this.ledger.closeOpen(records, campaign, round, participations, 'ROUND_CLOSED');
          await this.updates.letWait(records, round.id);
          const event = await this.ledger.moveRound(records, campaign, round, 'failed', decision);
          return { hasMoved: true, events: [...closed, event], nudges: siteIds };
        }
        return this.closeWithQuorum(records, campaign, round, participations);
      }
      case 'fold':
        return { ...STANDS_STILL, fold: round.id };
      case 'wait':
      case 'done':
        return STANDS_STILL;
    }
  }

  /** Screens what is about to be folded. When something is held back the round stays as it is, for the rule to look again. */
  private async closeWithQuorum(
    records: EntityManager,
    campaign: Campaign,
    round: Round,
    participations: readonly Participation[],
  ): Promise<StepResult> {
    const { quarantined } = await this.screening.screen(records, campaign, round);
    if (quarantined.length > 0) {
      const events = [];
      for (const { participationId, code } of quarantined) {
        const participation = participations.find(({ id }) => id === participationId);
        if (participation === undefined) continue;
        events.push(await this.ledger.moveParticipation(records, campaign, round, participation, 'quarantined', code));
      }
      return { hasMoved: true, events, nudges: [] };
    }
    // Buffered rounds leave slow sites at work: what they deliver counts in the round in which it comes.
    const closing = isBuffered(campaign.plan.recipe) ? [] : participations;
    const nudges = closing.filter(({ state }) => isParticipationOpen(state)).map(({ siteId }) => siteId);
    const closed = await this.ledger.closeOpen(records, campaign, round, closing, 'ROUND_CLOSED');
    const event = await this.ledger.moveRound(records, campaign, round, 'aggregating');
    return { hasMoved: true, events: [...closed, event], nudges };
  }

  /** No later round will take what the sites of a buffered campaign still have in hand. */
  private async closeCarriedOver(records: EntityManager, campaign: Campaign, latest: Round | null): Promise<CampaignEvent[]> {
    if (latest === null || !isBuffered(campaign.plan.recipe)) return [];
    const carried = await this.ledger.carriedOver(records, campaign.id);
    return this.ledger.closeOpen(records, campaign, latest, carried, 'ROUND_CLOSED');
  }

  private async scoringFacts(records: EntityManager, campaign: Campaign): Promise<ScoringFacts> {
    const sinceMs = campaign.scoringSinceMs ?? this.clock.nowMs();
    const { number } = await this.models.newest(records, campaign.id);
    const enrolled = new Set((await this.sites.enrolled(records)).map(({ id }) => id));
    const sites = [];
    // Where figures stay at the sites, there is nobody to wait for.
    const scoring = keepsFigures(campaign.plan) ? [] : campaign.sites.filter((site) => enrolled.has(site.id));
    for (const { id } of scoring) {
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
