import { type AlarmClock, type Cancel, type Digest, FederationError, formatBytes } from '@consilium/shared/kernel';
import { RETAINED_KINDS, type RetentionAnswer, type RetentionView } from '@consilium/shared/wire';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { AuditActor } from '../audit/audit-log.js';
import { BlobHolds } from '../blobs/blob-holds.js';
import type { BlobStore } from '../blobs/blob-store.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Log } from '../log.js';
import { BLOB_STORE, CLOCK, CONFIG } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { amountOf, type DroppedAmount, RetentionLedger } from './retention-ledger.js';

const DAY_MS = 86_400_000;

/** After a round its next one goes first: inviting sites must not wait for files to go. */
const AFTER_ROUND_MS = 2_000;

/** Rows that one transaction drops: other work waits for no more than that. */
const ROWS_PER_COMMIT = 25;

/** Files that are looked up at a time. */
const FILES_AT_ONCE = 100;

type Dropped = RetentionAnswer['dropped'];

/**
 * Applies the rules of retention: at the start, once a day, after each round, and when an operator asks. Rows and audit log first,
 * in one transaction; then the files, one by one and only those that no row needs. A crash between leaves files that the next start
 * removes. Rounds never wait for it.
 */
@Injectable()
export class Retention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** One application after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private readonly stopping = new AbortController();
  /** Campaigns whose rounds have ended since the last application. */
  private readonly due = new Set<string>();
  private isWaiting = false;
  private ends: readonly Cancel[] = [];
  private endWait: Cancel = () => undefined;

  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RetentionLedger,
    private readonly holds: BlobHolds,
    private readonly events: CampaignEvents,
    log: Log,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(CLOCK) private readonly clock: AlarmClock,
  ) {
    this.log = log.part('retention');
  }

  onApplicationBootstrap(): void {
    const ofAll = (): void => void this.unasked(() => this.apply('coordinator'));
    const unsubscribe = this.events.subscribe((event) => {
      if (event.kind === 'round' && event.state === 'finished') this.afterRound(event.campaignId);
    });
    this.ends = [this.clock.every(DAY_MS, ofAll), unsubscribe];
    ofAll();
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const end of [...this.ends, this.endWait]) end();
    this.stopping.abort();
    await this.turn;
  }

  /** The rules, and of each campaign what is there, what would go and what is gone. */
  async view(): Promise<RetentionView> {
    const rules = this.config.retention;
    const campaigns = await this.unitOfWork.transact((records) => this.register.list(records));
    const shelves: RetentionView['shelves'] = [];
    for (const campaign of campaigns) {
      const own = await this.unitOfWork.transact((records) => this.ledger.shelvesOf(records, campaign, rules));
      shelves.push(...own.map((shelf) => ({ campaignName: campaign.name, ...shelf })));
    }
    const filesToRemove = await this.unitOfWork.transact((records) => this.ledger.countFilesToRemove(records));
    return { rules: rules.written, shelves, filesToRemove };
  }

  /** What {@link Retention.apply} would drop now. */
  async foresee(): Promise<RetentionAnswer> {
    const { shelves } = await this.view();
    const dropped = shelves.flatMap(({ campaignName, kind, going }) =>
      going.count === 0 ? [] : [{ campaignName, kind, ...going }],
    );
    return { dryRun: true, dropped, filesRemoved: 0 };
  }

  /** Applies the rules to all campaigns, or to those named. Throws what the database or the blob store throws; again does the rest. */
  async apply(actor: AuditActor, only?: ReadonlySet<string>): Promise<RetentionAnswer> {
    return this.inTurn(async () => {
      const all = await this.unitOfWork.transact((records) => this.register.list(records));
      const dropped: Dropped = [];
      for (const campaign of all)
        if (only === undefined || only.has(campaign.id)) dropped.push(...(await this.dropOf(campaign.id, campaign.name, actor)));
      const filesRemoved = await this.removeFiles();
      for (const { campaignName, kind, count, bytes } of dropped)
        this.log.info(`${campaignName}: the bytes of ${count} ${kind} were dropped (${formatBytes(bytes)})`, {
          campaign: campaignName,
        });
      return { dryRun: false, dropped, filesRemoved };
    });
  }

  /** Rounds may end faster than this is done: what waits already will see them all. */
  private afterRound(campaignId: string): void {
    this.due.add(campaignId);
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.endWait = this.clock.after(AFTER_ROUND_MS, () => {
      void this.unasked(async () => {
        await this.turn;
        const due = new Set(this.due);
        this.due.clear();
        this.isWaiting = false;
        await this.apply('coordinator', due);
      });
    });
  }

  private async dropOf(campaignId: string, campaignName: string, actor: AuditActor): Promise<Dropped> {
    const dropped: DroppedAmount[] = [];
    const rules = this.config.retention;
    while (!this.stopping.signal.aborted) {
      // Looked at anew each time: an operator may have pinned a version or released an update meanwhile.
      const part = await this.unitOfWork.transact(async (records) => {
        const campaign: Campaign = await this.register.get(records, campaignId);
        return this.ledger.drop(records, campaign, { rules, actor, most: ROWS_PER_COMMIT });
      });
      dropped.push(...part);
      if (part.length < ROWS_PER_COMMIT) break;
    }
    return RETAINED_KINDS.flatMap((kind) => {
      const amount = amountOf(dropped.filter((one) => one.kind === kind));
      return amount.count === 0 ? [] : [{ campaignName, kind, ...amount }];
    });
  }

  private async removeFiles(): Promise<number> {
    let removed = 0;
    for (;;) {
      const digests = await this.unitOfWork.transact((records) => this.ledger.filesToRemove(records, FILES_AT_ONCE));
      let hasGone = false;
      for (const digest of digests) {
        if (this.stopping.signal.aborted) return removed;
        const outcome = await this.removeFile(digest);
        if (outcome === 'removed') removed += 1;
        hasGone ||= outcome !== 'held';
      }
      // Those that are held wait for the next time.
      if (!hasGone || digests.length < FILES_AT_ONCE) return removed;
    }
  }

  private async removeFile(digest: Digest): Promise<'removed' | 'needed' | 'held'> {
    let isNeeded = false;
    const isSettled = await this.holds.removeUnlessHeld(digest, async () => {
      isNeeded = await this.unitOfWork.transact((records) => this.ledger.isNeeded(records, digest));
      if (!isNeeded) await this.blobs.remove(digest);
      await this.unitOfWork.transact((records) => this.ledger.forgetFile(records, digest));
    });
    if (!isSettled) return 'held';
    return isNeeded ? 'needed' : 'removed';
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Whatever fails is tried again the next time; rounds go on. */
  private async unasked(work: () => Promise<unknown>): Promise<void> {
    if (this.stopping.signal.aborted) return;
    await work().catch((error: unknown) => {
      if (!this.stopping.signal.aborted)
        this.log.warn(`the rules of retention could not be applied: ${FederationError.from(error).message}`);
    });
  }
}
