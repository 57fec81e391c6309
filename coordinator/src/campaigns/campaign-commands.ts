import { type Clock, type DigestAlgorithm, digestOfJson, FederationError, newId, required } from '@consilium/shared/kernel';
import type { CampaignEvent, CampaignPlan } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import { BlobHolds } from '../blobs/blob-holds.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Presence } from '../live/presence.js';
import { Log } from '../log.js';
import { initialVersion } from '../models/initial-version.js';
import { ModelLedger } from '../models/model-ledger.js';
import type { ModelVersion } from '../models/model-version.entity.js';
import { BLOB_STORE, CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { tellEvent } from '../rounds/tell-event.js';
import { RoundConductor } from '../rounds/round-conductor.js';
import { RoundPlanner } from '../rounds/round-planner.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { RoundParts } from '../rounds/round-parts.js';
import { isRoundOpen } from '../rounds/round-states.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { Campaign, type CampaignSite } from './campaign.entity.js';
import { CampaignRegister } from './campaign-register.js';

/** What an operator does to a campaign. Each command is a fact; the next tick draws the consequences. */
@Injectable()
export class CampaignCommands {
  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly parts: RoundParts,
    private readonly models: ModelLedger,
    private readonly sites: SiteDirectory,
    private readonly planner: RoundPlanner,
    private readonly conductor: RoundConductor,
    private readonly events: CampaignEvents,
    private readonly presence: Presence,
    log: Log,
    private readonly audit: AuditLog,
    private readonly holds: BlobHolds,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('campaigns');
  }

  /** Writes version 1 and the campaign; CAMPAIGN_INVALID names the field that does not fit the enrolled sites. */
  async start(plan: CampaignPlan, by: AuditActor): Promise<string> {
    await this.unitOfWork.transact((records) => this.requireStartable(records, plan));
    const digest = plan.digest ?? (await this.unitOfWork.transact((records) => this.commonDigest(records, plan)));
    // Only the written file tells its digest, and an earlier campaign's first version may be the same bytes, on their way out.
    const campaign = await this.holds.during('all', async () => {
      const blob = await this.blobs.write(initialVersion(plan.model, plan.seed), digest);
      return this.unitOfWork.transact((records) => this.write(records, { ...plan, digest }, blob, by));
    });
    const { id, name, state } = campaign;
    this.announce([{ kind: 'campaign', campaignId: id, campaignName: name, atMs: this.clock.nowMs(), state }], []);
    return id;
  }

  private async write(
    records: EntityManager,
    plan: CampaignPlan,
    blob: Pick<ModelVersion, 'digest' | 'bytes'>,
    by: AuditActor,
  ): Promise<Campaign> {
    const sites = await this.requireStartable(records, plan);
    const started = {
      id: newId('campaign'),
      name: plan.name,
      state: 'active' as const,
      code: null,
      plan,
      sites,
    };
    const times = { createdAtMs: this.clock.nowMs(), scoringSinceMs: null, finishedAtMs: null };
    const saved = await records.save(Campaign, { ...started, ...times });
    await this.models.append(records, { campaignId: saved.id, number: 1, roundId: null, ...blob });
    const names = sites.map((site) => site.name);
    const subject = { campaign: plan.name, plan: digestOfJson(saved.plan), version: 1, digest: blob.digest, sites: names };
    await this.audit.append(records, { kind: 'campaign-started', actor: by, subject });
    return saved;
  }

  /** No new round starts; one that is under way ends. */
  async pause(idOrName: string, by: AuditActor): Promise<void> {
    await this.apply(idOrName, async (records, campaign) => [await this.register.move(records, campaign, 'paused', { by })]);
  }

  /** Goes on after a pause; after a failure, tries the failed round once more. */
  async resume(idOrName: string, by: AuditActor): Promise<void> {
    await this.apply(idOrName, async (records, campaign) => {
      const wasFailed = campaign.state === 'failed';
      const moved = await this.register.move(records, campaign, 'active', { by });
      if (!wasFailed) return [moved];
      const failed = required(await this.ledger.latest(records, campaign.id), 'the failed round');
      return [moved, await this.planner.plan(records, campaign, failed.number)];
    });
  }

  /** Ends the campaign and its open round; versions made so far stay. */
  async cancel(idOrName: string, by: AuditActor): Promise<void> {
    await this.apply(idOrName, async (records, campaign) => {
      const events = [await this.register.move(records, campaign, 'cancelled', { by })];
      const round = await this.ledger.latest(records, campaign.id);
      if (round === null || !isRoundOpen(round.state)) return events;
      const { participations } = await this.parts.of(records, campaign, round);
      events.push(...(await this.ledger.closeOpen(records, campaign, round, participations, 'ROUND_CLOSED')));
      return [...events, await this.ledger.moveRound(records, campaign, round, 'cancelled')];
    });
  }

  private async apply(
    idOrName: string,
    command: (records: EntityManager, campaign: Campaign) => Promise<CampaignEvent[]>,
  ): Promise<void> {
    const { events, campaign } = await this.unitOfWork.transact(async (records) => {
      const found = await this.register.get(records, idOrName);
      return { events: await command(records, found), campaign: found };
    });
    this.announce(events, campaign.sites);
  }

  private announce(events: readonly CampaignEvent[], sites: readonly CampaignSite[]): void {
    for (const event of events) if (event.kind === 'campaign') tellEvent(this.log, event);
    this.events.publish(events);
    this.presence.nudge(sites.map(({ id }) => id));
    this.conductor.wake();
  }

  /** A campaign that cannot finish a round without a site is not started while that site is away. */
  private requireRequired(chosen: readonly CampaignSite[], { requiredSites = [] }: CampaignPlan): void {
    const absent = requiredSites.filter((name) => !chosen.some((site) => site.name === name));
    if (absent.length > 0) throw invalid('requiredSites', `not enrolled: ${absent.join(', ')}`);
    const away = chosen.filter(({ id, name }) => requiredSites.includes(name) && !this.presence.isConnected(id));
    if (away.length === 0) return;
    const names = away.map(({ name }) => name).join(', ');
    throw new FederationError('CAMPAIGN_INVALID', `requiredSites: not connected: ${names}`, {
      details: { field: 'requiredSites', sites: names },
      remedy: 'Have their agents started ("site-agent start"), or take them out of requiredSites.',
    });
  }

  /** What names the weight files, unless the campaign file says it: a site of protocol 1 knows SHA-256 only. */
  private async commonDigest(records: EntityManager, plan: CampaignPlan): Promise<DigestAlgorithm> {
    const sites = (await this.sites.enrolled(records)).filter(({ name }) => plan.sites?.includes(name) ?? true);
    return sites.some(({ protocolVersion }) => protocolVersion === 1) ? 'sha256' : 'blake3';
  }

  private async requireStartable(records: EntityManager, plan: CampaignPlan): Promise<CampaignSite[]> {
    if (await records.existsBy(Campaign, { name: plan.name })) {
      throw new FederationError('NAME_TAKEN', `a campaign named ${plan.name} exists already`, {
        remedy: 'Give this one another name in its file.',
      });
    }
    const enrolled = (await this.sites.enrolled(records)).map(({ id, name }) => ({ id, name }));
    const missing = (plan.sites ?? []).filter((name) => !enrolled.some((site) => site.name === name));
    if (missing.length > 0) throw invalid('sites', `not enrolled: ${missing.join(', ')}`);
    const chosen = plan.sites === undefined ? enrolled : enrolled.filter(({ name }) => plan.sites?.includes(name));
    if (chosen.length === 0) throw invalid('sites', 'no site is enrolled yet');
    this.requireRequired(chosen, plan);
    if (chosen.length < plan.quorum) throw invalid('quorum', `${plan.quorum} updates are asked of ${chosen.length} sites`);
    return chosen;
  }
}

function invalid(field: string, detail: string): FederationError {
  return new FederationError('CAMPAIGN_INVALID', `${field}: ${detail}`, {
    details: { field },
    remedy: 'Look at "coordinator site list", enrol the missing sites or correct the campaign file.',
  });
}
