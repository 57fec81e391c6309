import { type Clock, FederationError, required } from '@consilium/shared/kernel';
import { type CampaignEvent, isBuffered, type ParticipationState, type Progress } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Log } from '../log.js';
import { CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import type { Participation } from './participation.entity.js';
import { RoundConductor } from './round-conductor.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';
import { isParticipationNews, isParticipationOpen, isRoundReceiving } from './round-states.js';
import { tellEvent } from './tell-event.js';

/** A participation with what it belongs to. */
export interface ParticipationContext {
  readonly campaign: Campaign;
  readonly round: Round;
  readonly participation: Participation;
}

interface Caller {
  readonly id: string;
  readonly name: string;
}

interface Fact {
  readonly to: ParticipationState;
  readonly code?: string;
  /** Further rows of the same fact, written in the same transaction. */
  readonly along?: (records: EntityManager, context: ParticipationContext) => Promise<void>;
}

interface Reported {
  readonly participationId: string;
  readonly state: ParticipationState;
  readonly campaign: Pick<Campaign, 'id' | 'name'>;
  readonly round: Pick<Round, 'number'>;
}

/** Writes what sites say about their part in a round, then wakes the conductor. Repeated and overtaken messages change nothing. */
@Injectable()
export class ParticipationRecorder {
  /** The last progress report of each site. */
  private readonly reported = new Map<string, Reported>();

  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly conductor: RoundConductor,
    private readonly events: CampaignEvents,
    log: Log,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('rounds');
  }

  /** NOT_FOUND unless the participation is this site's; ROUND_CLOSED unless what it delivers can still count. */
  async requireReceiving(records: EntityManager, site: Caller, participationId: string): Promise<ParticipationContext> {
    const context = await this.contextOf(records, site, participationId);
    if (isReceiving(context)) return context;
    throw roundClosed(context);
  }

  /** Any participation of the site with its round and campaign. */
  async contextOf(records: EntityManager, site: Caller, participationId: string): Promise<ParticipationContext> {
    const participation = await this.ledger.participation(records, participationId, site.id);
    if (participation === null) {
      throw new FederationError('NOT_FOUND', 'this site has no such part in a round', { remedy: 'Ask for the next assignment.' });
    }
    const round = required(await this.ledger.get(records, participation.roundId), 'the round of a participation');
    return { participation, round, campaign: await this.register.get(records, round.campaignId) };
  }

  /** Records the state; returns false when it was known already. */
  async record(site: Caller, participationId: string, fact: Fact): Promise<boolean> {
    const event = await this.unitOfWork.transact(async (records) => {
      const context = await this.contextOf(records, site, participationId);
      const { campaign, round, participation } = context;
      if (!isParticipationNews(participation.state, fact.to)) return null;
      if (!isReceiving(context)) throw roundClosed(context);
      await fact.along?.(records, context);
      return this.ledger.moveParticipation(records, campaign, round, participation, fact.to, fact.code);
    });
    if (event === null) return false;
    this.announce(event);
    // How far a site has come changes nothing that a rule looks at.
    if (fact.to !== 'training' && fact.to !== 'delivering') this.conductor.wake();
    return true;
  }

  /**
   * Progress is passed on, not stored; it also says that the site has begun to train or to upload. What is known of a
   * participation's names and state is remembered, so that reports in quick succession cost the database nothing.
   */
  async recordProgress(site: Caller, progress: Progress): Promise<void> {
    const to = progress.phase === 'uploading' ? 'delivering' : progress.phase === 'training' ? 'training' : 'accepted';
    const known = this.reported.get(site.id);
    if (known?.participationId !== progress.participationId || known.state !== to) {
      await this.record(site, progress.participationId, { to });
      const { campaign, round } = await this.unitOfWork.transact((records) =>
        this.contextOf(records, site, progress.participationId),
      );
      this.reported.set(site.id, { participationId: progress.participationId, state: to, campaign, round });
    }
    const { campaign, round } = required(this.reported.get(site.id), 'what is known of the site');
    this.events.publish([
      {
        kind: 'progress',
        campaignId: campaign.id,
        campaignName: campaign.name,
        atMs: this.clock.nowMs(),
        roundNumber: round.number,
        siteName: site.name,
        progress,
      },
    ]);
  }

  /** Ends every open part of a site, for example because it was revoked. */
  async failAllOf(siteId: string, code: string): Promise<void> {
    const open = await this.unitOfWork.transact((records) => this.ledger.openOf(records, siteId));
    for (const { id, siteName } of open) {
      await this.record({ id: siteId, name: siteName }, id, { to: 'failed', code });
    }
  }

  /**
   * The round in which an update counts that is accepted now: its own while that receives, else (buffered rounds) the newest one
   * if it receives; null means the next one that is planned.
   */
  async roundToCountIn(records: EntityManager, { campaign, round }: ParticipationContext): Promise<string | null> {
    if (isRoundReceiving(round.state)) return round.id;
    const latest = await this.ledger.latest(records, campaign.id);
    return latest !== null && isRoundReceiving(latest.state) ? latest.id : null;
  }

  private announce(event: CampaignEvent): void {
    if (event.kind === 'participation') tellEvent(this.log, event);
    this.events.publish([event]);
  }
}

/** A buffered campaign takes what its sites still have in hand also after the round for which they were invited. */
function isReceiving({ campaign, round, participation }: ParticipationContext): boolean {
  if (!isParticipationOpen(participation.state)) return false;
  if (isRoundReceiving(round.state)) return true;
  return isBuffered(campaign.plan.recipe) && (campaign.state === 'active' || campaign.state === 'paused');
}

function roundClosed({ round, participation }: ParticipationContext): FederationError {
  return new FederationError('ROUND_CLOSED', `round ${round.number} no longer takes anything from this site`, {
    details: { round: round.number, roundState: round.state, participationState: participation.state },
    remedy: 'Ask for the next assignment.',
  });
}
