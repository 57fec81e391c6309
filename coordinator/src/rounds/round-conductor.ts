import { type AlarmClock, type Cancel, FederationError } from '@consilium/shared/kernel';
import type { CampaignEvent } from '@consilium/shared/wire';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Presence } from '../live/presence.js';
import { Log } from '../log.js';
import { CLOCK, CONFIG } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { CampaignStep, type StepResult } from './campaign-step.js';
import { RoundFold } from './round-fold.js';
import { tellEvent } from './tell-event.js';
import { RoundLedger } from './round-ledger.js';

/** Pause before a fold that failed for want of disk or database is tried again. */
const FOLD_RETRY_MS = 5_000;

/** More steps than any campaign can take without a new fact: beyond it something goes in circles. */
const STEPS_PER_TICK = 1_000;

/**
 * Facts in, progress out. A tick looks at every campaign that can still move, applies what the pure rules decide until there is
 * nothing left to do, and starts folds. Ticks never overlap; a restart is just another tick.
 */
@Injectable()
export class RoundConductor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly folds = new Map<string, Promise<void>>();
  private readonly foldRetryAtMs = new Map<string, number>();
  private readonly stopping = new AbortController();
  private endTicks: Cancel = () => undefined;
  private ticking: Promise<void> | undefined;
  private isTickWanted = false;

  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly steps: CampaignStep,
    private readonly roundFold: RoundFold,
    private readonly events: CampaignEvents,
    private readonly presence: Presence,
    log: Log,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: AlarmClock,
  ) {
    this.log = log.part('rounds');
  }

  onApplicationBootstrap(): void {
    this.endTicks = this.clock.every(this.config.tickIntervalMs, () => this.wake());
    this.wake();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.endTicks();
    this.stopping.abort();
    await this.ticking;
    await Promise.all(this.folds.values());
  }

  /** Asks for a tick soon; cheap and safe to call after every fact. */
  wake(): void {
    if (this.stopping.signal.aborted) return;
    this.isTickWanted = true;
    this.ticking ??= this.tickWhileWanted().finally(() => {
      this.ticking = undefined;
    });
  }

  /** One tick, completed when the campaigns stand still; folds go on in the background. */
  async tick(): Promise<void> {
    this.wake();
    await this.ticking;
  }

  private async tickWhileWanted(): Promise<void> {
    while (this.isTickWanted && !this.stopping.signal.aborted) {
      this.isTickWanted = false;
      try {
        const campaigns = await this.unitOfWork.transact((records) => this.register.moving(records));
        for (const { id, name } of campaigns) await this.conduct(id, name);
      } catch (error) {
        this.log.error(`the rounds could not be looked at: ${FederationError.from(error).message}`, error);
      }
    }
  }

  private async conduct(campaignId: string, campaignName: string): Promise<void> {
    try {
      // All steps that follow from one look are one fact on disk: a crash leaves all of them or none.
      const results = await this.unitOfWork.transact(async (records) => {
        const taken: StepResult[] = [];
        do taken.push(await this.steps.take(records, campaignId));
        while (taken.at(-1)?.hasMoved === true && taken.length < STEPS_PER_TICK);
        return taken;
      });
      for (const result of results) {
        this.announce(result);
        if (result.fold !== undefined) this.startFold(result.fold);
      }
    } catch (error) {
      this.log.error(`campaign ${campaignName} could not go on: ${FederationError.from(error).message}`, error, {
        campaign: campaignName,
        campaignId,
      });
    }
  }

  private announce({ events, nudges }: Pick<StepResult, 'events' | 'nudges'>): void {
    for (const event of events) tellEvent(this.log, event);
    this.events.publish(events);
    this.presence.nudge(nudges);
  }

  private startFold(roundId: string): void {
    if (this.folds.has(roundId) || this.clock.nowMs() < (this.foldRetryAtMs.get(roundId) ?? 0)) return;
    const fold = this.roundFold
      .fold(roundId, this.stopping.signal)
      .then((events) => this.announce({ events, nudges: [] }))
      .catch((error: unknown) => this.onFoldFailed(roundId, error))
      .finally(() => {
        this.folds.delete(roundId);
        this.wake();
      });
    this.folds.set(roundId, fold);
  }

  // A full disk is waited out; anything else ends the round with its code. An interrupted fold is simply repeated.
  private async onFoldFailed(roundId: string, thrown: unknown): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const error = FederationError.from(thrown);
    this.log.error(`the updates of a round could not be combined: ${error.code} ${error.message}`, error, {
      roundId,
      code: error.code,
    });
    if (error.retryable) {
      this.foldRetryAtMs.set(roundId, this.clock.nowMs() + FOLD_RETRY_MS);
      return;
    }
    const events = await this.unitOfWork.transact(async (records): Promise<CampaignEvent[]> => {
      const round = await this.ledger.get(records, roundId);
      if (round?.state !== 'aggregating') return [];
      const campaign = await this.register.get(records, round.campaignId);
      return [await this.ledger.moveRound(records, campaign, round, 'failed', { code: error.code })];
    });
    this.announce({ events, nudges: [] });
  }
}
