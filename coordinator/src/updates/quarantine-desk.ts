import { type Clock, FederationError, required } from '@consilium/shared/kernel';
import { type CampaignEvent, partOfRound, type RoundPart } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import { weightsDropped } from '../blobs/weights-dropped.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Log } from '../log.js';
import { CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Participation } from '../rounds/participation.entity.js';
import { RoundConductor } from '../rounds/round-conductor.js';
import type { Round } from '../rounds/round.entity.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { isRoundReceiving } from '../rounds/round-states.js';
import { isScreeningCode } from './held-back.js';
import { Update } from './update.entity.js';

/** A held-back update with what it belongs to. */
interface Held {
  readonly update: Update;
  readonly participation: Participation;
  /** Of the round for which it was asked. */
  readonly part: RoundPart;
  readonly roundNumber: number;
  /** The campaign's latest round. */
  readonly latest: Round;
  readonly campaign: Campaign;
}

/** An operator's word on an update. */
export interface Decision {
  /** The name of who decides: proved where the actor is an account, typed where it is the folder's token. */
  readonly decidedBy: string;
  readonly reason: string | undefined;
  readonly actor: AuditActor;
}

/** Where a named operator decides about updates that were held back. */
@Injectable()
export class QuarantineDesk {
  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly rounds: RoundLedger,
    private readonly conductor: RoundConductor,
    private readonly events: CampaignEvents,
    log: Log,
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('updates');
  }

  /**
   * Lets the update count after all: in the round that is open, else in the next one. Only updates that were far from the
   * others, or that start from an earlier version of their campaign, can be released (UPDATE_NOT_RELEASABLE says why another
   * cannot), and only while the campaign has rounds to come. Releasing again changes nothing.
   */
  async release(participationId: string, decision: Decision): Promise<void> {
    const events = await this.unitOfWork.transact(async (records): Promise<CampaignEvent[] | null> => {
      const held = await this.find(records, participationId);
      if (held.update.state === 'released') return null;
      requireReleasable(held);
      const { participation, latest, campaign } = held;
      const isOpen = isRoundReceiving(latest.state) && partOfRound(campaign.plan.objective, latest.number) === held.part;
      await this.note(records, held, 'released', decision, isOpen ? latest.id : null);
      // In its own round the site's part is delivered after all; in a later one that round's own participations stand.
      if (!isOpen || participation.roundId !== latest.id) return [];
      return [await this.rounds.moveParticipation(records, campaign, latest, participation, 'delivered')];
    });
    if (events === null) return;
    this.log.info(`update ${participationId} released by ${decision.decidedBy}`, { participationId });
    this.events.publish(events);
    this.conductor.wake();
  }

  /** The operator's last word: the update never counts. Its bytes stay as long as retention says. Discarding again changes nothing. */
  async discard(participationId: string, decision: Decision): Promise<void> {
    const isNews = await this.unitOfWork.transact(async (records) => {
      const held = await this.find(records, participationId);
      const { update } = held;
      if (update.state === 'discarded') return false;
      if (update.state !== 'quarantined') throw notReleasable(update, `it is ${update.state}, not held back`);
      await this.note(records, held, 'discarded', decision, null);
      return true;
    });
    if (isNews) this.log.info(`update ${participationId} discarded by ${decision.decidedBy}`, { participationId });
  }

  private async find(records: EntityManager, participationId: string): Promise<Held> {
    const update = await records.findOneBy(Update, { participationId });
    if (update === null) {
      throw new FederationError('NOT_FOUND', `there is no update ${participationId}`, {
        remedy: 'List the updates with "coordinator update list".',
      });
    }
    const participation = required(
      await records.findOneBy(Participation, { id: participationId }),
      'the participation of an update',
    );
    const { campaignId, number } = required(
      await this.rounds.get(records, participation.roundId),
      'the round of a participation',
    );
    const latest = required(await this.rounds.latest(records, campaignId), 'the latest round of a campaign with an update');
    const campaign = await this.register.get(records, campaignId);
    return { update, participation, part: partOfRound(campaign.plan.objective, number), roundNumber: number, latest, campaign };
  }

  private async note(
    records: EntityManager,
    { update: { participationId, digest }, participation, roundNumber, campaign }: Held,
    state: 'released' | 'discarded',
    { decidedBy, reason, actor }: Decision,
    foldRoundId: string | null,
  ): Promise<void> {
    const decision = { decidedBy, decidedWhy: reason ?? null, decidedAtMs: this.clock.nowMs() };
    await records.update(Update, { participationId }, { state, foldRoundId, ...decision });
    const of = { campaign: campaign.name, round: roundNumber, site: participation.siteName };
    const subject = { ...of, digest, decidedBy, reason: reason ?? null };
    await this.audit.append(records, { kind: `update-${state}`, actor, subject });
  }
}

function requireReleasable({ update, participation, part, latest, campaign }: Held): void {
  if (update.droppedAtMs !== null) throw weightsDropped(`update ${update.participationId}`, update.digest);
  if (update.state === 'discarded') throw notReleasable(update, `${update.decidedBy ?? 'an operator'} has discarded it`);
  if (update.state !== 'quarantined' || update.code === null) throw notReleasable(update, 'it is not held back');
  const isOfEarlierVersion = update.code === 'UPDATE_BASE_STALE' && update.roundId !== participation.roundId;
  if (!isScreeningCode(update.code) && !isOfEarlierVersion) {
    const isForeign = update.code === 'UPDATE_BASE_STALE';
    throw notReleasable(
      update,
      isForeign ? 'its base is no earlier version of the campaign' : 'it cannot be added to the others',
    );
  }
  if (campaign.plan.privacy?.form === 'central')
    throw notReleasable(update, 'a site counts once in a round of this campaign, and would count twice in the next');
  if (part === 'adversary') throw notReleasable(update, 'a gradient counts only at the version at which it was taken');
  const hasEnded = campaign.state === 'scoring' || campaign.state === 'finished' || campaign.state === 'cancelled';
  if (hasEnded || !hasRoundToCome(campaign, latest, part))
    throw notReleasable(update, `the campaign ${campaign.name} has no round left in which it could count`);
}

/** Whether an update of this part may still count: in the latest round while that is open, or in a later one. */
function hasRoundToCome({ plan: { objective, rounds } }: Campaign, { state, number }: Round, part: RoundPart): boolean {
  if (state !== 'aggregating' && state !== 'finished' && partOfRound(objective, number) === part) return true;
  for (let next = number + 1; next <= rounds; next++) if (partOfRound(objective, next) === part) return true;
  return false;
}

function notReleasable({ participationId, code }: Update, why: string): FederationError {
  const held = code === null ? '' : ` (${code})`;
  return new FederationError('UPDATE_NOT_RELEASABLE', `nothing can be decided about update ${participationId}${held}: ${why}`, {
    details: { code },
    remedy: 'See why it was held back with "coordinator update show".',
  });
}
