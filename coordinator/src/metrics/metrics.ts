/** What Prometheus scrapes: docs/guides/watching.md lists every figure. */
import type { Clock } from '@consilium/shared/kernel';
import { CAMPAIGN_STATES, type CampaignEvent, RETAINED_KINDS, type RoundState, UPDATE_STATES } from '@consilium/shared/wire';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { COORDINATOR_VERSION } from '../config/coordinator-version.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { RequestLimits } from '../limits/request-limits.js';
import { Presence } from '../live/presence.js';
import { CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { RetentionLedger } from '../retention/retention-ledger.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { isRoundOpen } from '../rounds/round-states.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { UploadSpool } from '../transfer/upload-spool.js';
import { UpdateLedger } from '../updates/update-ledger.js';
import { TransferCounters } from './transfer-counters.js';

/** From a no-op round to one of a night. */
const PHASE_BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600];

/** Counts what happens, and reads what is when it is asked. */
@Injectable()
export class Metrics implements OnApplicationShutdown {
  private readonly registry = new Registry();
  private readonly unsubscribe: () => void;
  /** The state of each round under way and since when. */
  private readonly phases = new Map<string, { readonly state: RoundState; readonly sinceMs: number }>();

  private readonly rounds = this.counter('rounds_total', 'Rounds that ended', ['campaign', 'state']);
  private readonly participations = this.counter('participations_total', 'Moves of sites’ parts in rounds', ['state', 'code']);
  private readonly phaseSeconds = new Histogram({
    name: 'consilium_round_phase_seconds',
    help: 'How long rounds stayed in a state',
    labelNames: ['state'],
    buckets: PHASE_BUCKETS_SECONDS,
    registers: [this.registry],
  });
  private readonly campaigns = this.gauge('campaigns', 'Campaigns by state', ['state']);
  private readonly updates = this.gauge('updates', 'Delivered updates by state; quarantined ones wait for an operator', [
    'state',
  ]);
  private readonly weights = this.gauge('weights_bytes', 'Bytes of weights that the records say are there, by kind', ['kind']);
  private readonly siteConnected = this.gauge('site_connected', '1 while the site’s agent is connected', ['site']);
  private readonly siteSeen = this.gauge('site_last_seen_seconds', 'Time since the site last said anything', ['site']);
  private readonly siteLag = this.gauge('site_lag_seconds', 'Age of the site’s oldest unfinished part in a round', ['site']);
  private readonly recordsUp = this.gauge('records_up', '0 when the database cannot be used', []);

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly updateLedger: UpdateLedger,
    private readonly retention: RetentionLedger,
    private readonly sites: SiteDirectory,
    private readonly presence: Presence,
    uploads: UploadSpool,
    transfers: TransferCounters,
    limits: RequestLimits,
    events: CampaignEvents,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    collectDefaultMetrics({ register: this.registry });
    this.read('uploads_active', 'Uploads that are being received', () => uploads.receiving.active);
    this.read('uploads_waiting', 'Uploads that wait for their turn', () => uploads.receiving.waiting);
    this.read('records_waiting', 'Pieces of work that wait for the database', () => unitOfWork.waitingWorks);
    this.total('received_bytes_total', 'Bytes of updates that sites have sent', () => transfers.receivedBytes);
    this.total('sent_bytes_total', 'Bytes of weights that were sent', () => transfers.sentBytes);
    this.totals('too_many_total', 'What was refused because it was too much', 'excess', () => limits.refusals);
    this.gauge('build_info', 'Version of the program', ['version']).labels(COORDINATOR_VERSION).set(1);
    this.unsubscribe = events.subscribe((event) => this.count(event));
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** All figures in Prometheus' text format; those of the records are left out when the database cannot be used. */
  async text(): Promise<string> {
    for (const gauge of [this.campaigns, this.updates, this.weights, this.siteConnected, this.siteSeen, this.siteLag])
      gauge.reset();
    const isUp = await this.unitOfWork
      .transact((records) => this.look(records))
      .then(
        () => 1,
        () => 0,
      );
    this.recordsUp.set(isUp);
    return this.registry.metrics();
  }

  private async look(records: EntityManager): Promise<void> {
    const campaigns = await this.register.list(records);
    for (const state of CAMPAIGN_STATES)
      this.campaigns.labels(state).set(campaigns.filter((campaign) => campaign.state === state).length);
    for (const state of UPDATE_STATES) this.updates.labels(state).set(await this.updateLedger.countInState(records, state));
    const held = await this.retention.heldBytes(records);
    for (const kind of RETAINED_KINDS) this.weights.labels(kind).set(held[kind]);
    const oldest = new Map<string, number>();
    for (const { siteId, invitedAtMs } of await this.ledger.open(records))
      oldest.set(siteId, Math.min(invitedAtMs, oldest.get(siteId) ?? Infinity));
    const nowMs = this.clock.nowMs();
    for (const { id, name, lastSeenAtMs } of await this.sites.enrolled(records)) {
      this.siteConnected.labels(name).set(this.presence.isConnected(id) ? 1 : 0);
      if (lastSeenAtMs !== null) this.siteSeen.labels(name).set((nowMs - lastSeenAtMs) / 1000);
      this.siteLag.labels(name).set((nowMs - (oldest.get(id) ?? nowMs)) / 1000);
    }
  }

  private count(event: CampaignEvent): void {
    if (event.kind === 'participation') this.participations.labels(event.state, event.code ?? '').inc();
    if (event.kind !== 'round') return;
    const { campaignId, campaignName, roundNumber, state, atMs } = event;
    const round = `${campaignId}/${roundNumber}`;
    const before = this.phases.get(round);
    if (before !== undefined) this.phaseSeconds.labels(before.state).observe(Math.max(0, atMs - before.sinceMs) / 1000);
    if (isRoundOpen(state)) {
      this.phases.set(round, { state, sinceMs: atMs });
      return;
    }
    this.phases.delete(round);
    this.rounds.labels(campaignName, state).inc();
  }

  private gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name: `consilium_${name}`, help, labelNames, registers: [this.registry] });
  }

  private counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name: `consilium_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** A figure that is kept elsewhere. */
  private read(name: string, help: string, value: () => number): void {
    const names = { name: `consilium_${name}`, help, registers: [this.registry] };
    new Gauge({
      ...names,
      collect() {
        this.set(value());
      },
    });
  }

  /** The same of one that only grows. */
  private total(name: string, help: string, value: () => number): void {
    const names = { name: `consilium_${name}`, help, registers: [this.registry] };
    new Counter({
      ...names,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  /** The same by label. */
  private totals<Label extends string>(
    name: string,
    help: string,
    label: Label,
    values: () => ReadonlyMap<string, number>,
  ): void {
    const names = { name: `consilium_${name}`, help, labelNames: [label], registers: [this.registry] };
    new Counter<Label>({
      ...names,
      collect() {
        this.reset();
        for (const [value, count] of values()) this.labels(value).inc(count);
      },
    });
  }
}
