import { type Clock, FederationError } from '@consilium/shared/kernel';
import type { CampaignEvent, CampaignState } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import { CLOCK } from '../ports.js';
import { Campaign } from './campaign.entity.js';
import { MOVING_STATES, requireCampaignMove } from './campaign-states.js';

/** The campaigns and their states. Methods run inside the caller's transaction. */
@Injectable()
export class CampaignRegister {
  constructor(
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async get(records: EntityManager, idOrName: string): Promise<Campaign> {
    const campaign = await records.findOne(Campaign, { where: [{ id: idOrName }, { name: idOrName }] });
    if (campaign !== null) return campaign;
    throw new FederationError('NOT_FOUND', `there is no campaign named ${idOrName}`, {
      remedy: 'List the campaigns with "coordinator campaign list".',
    });
  }

  /** Newest first. */
  async list(records: EntityManager): Promise<Campaign[]> {
    return records.find(Campaign, { order: { createdAtMs: 'DESC', id: 'ASC' } });
  }

  /** Campaigns that the clock or a fact can still change, oldest first. */
  async moving(records: EntityManager): Promise<Campaign[]> {
    return records.find(Campaign, { where: { state: In([...MOVING_STATES]) }, order: { createdAtMs: 'ASC', id: 'ASC' } });
  }

  /** Moves the campaign and returns the event to publish after the commit; CAMPAIGN_TRANSITION when the move is not legal. */
  async move(
    records: EntityManager,
    campaign: Campaign,
    to: CampaignState,
    { by, code = null }: { readonly by: AuditActor; readonly code?: string | null },
  ): Promise<CampaignEvent> {
    requireCampaignMove(campaign.name, campaign.state, to);
    const nowMs = this.clock.nowMs();
    campaign.state = to;
    campaign.code = code;
    if (to === 'scoring') campaign.scoringSinceMs = nowMs;
    if (to === 'finished' || to === 'failed' || to === 'cancelled') campaign.finishedAtMs = nowMs;
    const { state, scoringSinceMs, finishedAtMs } = campaign;
    await records.update(Campaign, { id: campaign.id }, { state, code, scoringSinceMs, finishedAtMs });
    await this.audit.append(records, { kind: `campaign-${to}`, actor: by, subject: { campaign: campaign.name, code } });
    return { kind: 'campaign', campaignId: campaign.id, campaignName: campaign.name, atMs: nowMs, state: to };
  }
}
