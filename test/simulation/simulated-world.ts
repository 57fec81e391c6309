import { Random } from '../../shared/src/kernel/index.js';
import type { ParticipationState, RoundState } from '../../shared/src/wire/index.js';
import { decideCampaign } from '../../coordinator/src/campaigns/decide-campaign.js';
import { decideRound } from '../../coordinator/src/rounds/decide-round.js';
import {
  isParticipationNews,
  isParticipationOpen,
  isRoundOpen,
  requireRoundMove,
} from '../../coordinator/src/rounds/round-states.js';

/** What the coordinator's disk holds of a round in the simulated world. */
export interface RoundRecord {
  readonly number: number;
  readonly baseVersion: number;
  readonly startedMs: number;
  readonly deadlineAtMs: number;
  state: RoundState;
  code: string | null;
  finishedMs: number | null;
  readonly participations: ParticipationRecord[];
  /** Sites whose updates were folded, once per fold that was committed. */
  readonly foldedSites: string[];
}

export interface ParticipationRecord {
  readonly siteName: string;
  state: ParticipationState;
  deliveredAtMs: number | null;
}

export interface VersionRecord {
  readonly number: number;
  readonly parent: number | null;
  readonly roundNumber: number | null;
}

/** Everything that survives a crash. */
export interface WorldRecords {
  campaignState: 'active' | 'scoring' | 'finished' | 'failed';
  readonly rounds: RoundRecord[];
  readonly versions: VersionRecord[];
}

export interface WorldSettings {
  readonly sites: number;
  readonly rounds: number;
  readonly quorum: number;
  readonly graceMs: number;
  readonly deadlineMs: number;
}

interface Fact {
  readonly atMs: number;
  readonly roundNumber: number;
  readonly siteName: string;
  readonly state: ParticipationState;
}

const SYNC_EVERY_MS = 2000;
const TICK_EVERY_MS = 250;

/**
 * A campaign in simulated time under the coordinator's real rules (`decideRound`, `decideCampaign`, the state tables). Sites are
 * slow, silent or failing, messages are lost, doubled and reordered, the coordinator dies between any two decisions and between
 * a fold and its commit. The same seed gives the same world.
 */
export class SimulatedWorld {
  readonly records: WorldRecords = {
    campaignState: 'active',
    rounds: [],
    versions: [{ number: 1, parent: null, roundNumber: null }],
  };
  nowMs = 0;
  crashes = 0;
  private inFlight: Fact[] = [];
  private readonly random: Random;
  /** What each site would say next time it syncs: its own durable view, like an agent's journal. */
  private readonly journals = new Map<string, Fact>();
  private readonly speeds: ReadonlyMap<string, number>;

  constructor(
    seed: string,
    readonly settings: WorldSettings,
  ) {
    this.random = new Random(`simulation/${seed}`);
    this.speeds = new Map(this.siteNames().map((name) => [name, this.random.chance(0.15) ? 20 : this.random.between(0.5, 2)]));
  }

  /** Runs until the campaign has ended; `limitMs` of simulated time is a failure of liveness. */
  run(limitMs: number): void {
    while (this.records.campaignState === 'active') {
      if (this.nowMs > limitMs) throw new Error(`the campaign did not end within ${limitMs} ms of simulated time`);
      this.deliverFacts();
      this.tick();
      this.nowMs += TICK_EVERY_MS;
    }
  }

  siteNames(): string[] {
    return Array.from({ length: this.settings.sites }, (_, i) => `site-${i}`);
  }

  private tick(): void {
    for (let decisions = 0; decisions < 20; decisions++) {
      if (this.random.chance(0.01)) return this.crash();
      const round = this.records.rounds.at(-1);
      if (round !== undefined && isRoundOpen(round.state)) {
        if (!this.applyRoundDecision(round)) return;
        continue;
      }
      const latestRound = round === undefined ? null : { ...round, attempt: 1, finishedAtMs: round.finishedMs };
      const decision = decideCampaign(
        { state: this.records.campaignState, rounds: this.settings.rounds, attempts: 1, latestRound },
        null,
        this.nowMs,
      );
      if (decision.kind === 'none') return;
      if (decision.kind === 'plan-round') this.planRound(decision.number);
      else {
        this.records.campaignState = decision.to === 'failed' ? 'failed' : 'scoring';
        return;
      }
    }
  }

  /** Applies one decision of the rule as one write; false when there is nothing to do now. */
  private applyRoundDecision(round: RoundRecord): boolean {
    const rule = { ...this.settings, requiredSites: [], isBuffered: false };
    const parts = round.participations.map((part) => ({
      ...part,
      countsSinceMs: part.state === 'delivered' ? part.deliveredAtMs : null,
    }));
    const decision = decideRound({ ...round, ...rule }, parts, this.nowMs);
    switch (decision.kind) {
      case 'wait':
      case 'done':
        return false;
      case 'move':
        requireRoundMove(round.state, decision.to);
        round.state = decision.to;
        if (decision.to === 'inviting') this.inviteSites(round);
        return true;
      case 'close':
        requireRoundMove(round.state, decision.to);
        for (const part of round.participations) if (isParticipationOpen(part.state)) part.state = 'late';
        round.state = decision.to;
        if (decision.to === 'failed') {
          round.code = decision.code;
          round.finishedMs = this.nowMs;
        }
        return true;
      case 'fold':
        return this.fold(round);
    }
  }

  /** The fold computes for a while; version and finished state are one transaction, and a crash before it leaves neither. */
  private fold(round: RoundRecord): boolean {
    const sites = round.participations.filter(({ state }) => state === 'delivered').map(({ siteName }) => siteName);
    if (this.random.chance(0.1)) {
      this.crash();
      return false;
    }
    requireRoundMove(round.state, 'finished');
    this.records.versions.push({
      number: this.records.versions.length + 1,
      parent: round.baseVersion,
      roundNumber: round.number,
    });
    round.foldedSites.push(...sites);
    round.state = 'finished';
    round.finishedMs = this.nowMs;
    return true;
  }

  private planRound(number: number): void {
    this.records.rounds.push({
      number,
      baseVersion: this.records.versions.length,
      startedMs: this.nowMs,
      deadlineAtMs: this.nowMs + this.settings.deadlineMs,
      state: 'planned',
      code: null,
      finishedMs: null,
      participations: this.siteNames().map((siteName) => ({ siteName, state: 'invited', deliveredAtMs: null })),
      foldedSites: [],
    });
  }

  /** Each site's course through the round is drawn at once; its messages reach the coordinator late, twice or only after a retry. */
  private inviteSites(round: RoundRecord): void {
    for (const siteName of this.siteNames()) {
      if (this.random.chance(0.05)) continue; // silent: never seen in this round
      const pace = this.speeds.get(siteName) ?? 1;
      let atMs = this.nowMs + this.random.between(50, 3000);
      const say = (state: ParticipationState): void => this.send({ atMs, roundNumber: round.number, siteName, state });
      if (this.random.chance(0.03)) {
        say('declined');
        continue;
      }
      say('accepted');
      atMs += this.random.between(500, 2000);
      say('training');
      atMs += this.random.between(5000, 20_000) * pace;
      if (this.random.chance(0.04)) {
        say('failed');
        continue;
      }
      if (this.random.chance(0.7)) say('delivering');
      atMs += this.random.between(200, 4000) * pace;
      this.journals.set(siteName, { atMs, roundNumber: round.number, siteName, state: 'delivered' });
      say('delivered');
    }
  }

  private send(fact: Fact): void {
    const delivered = this.random.chance(0.85);
    if (delivered) this.inFlight.push({ ...fact, atMs: fact.atMs + this.random.between(0, 500) });
    if (this.random.chance(0.1)) this.inFlight.push({ ...fact, atMs: fact.atMs + this.random.between(0, 5000) });
    // A delivery is repeated until it is acknowledged: the journal keeps it. Other facts may be lost for good.
    if (!delivered && fact.state === 'delivered') this.inFlight.push({ ...fact, atMs: fact.atMs + SYNC_EVERY_MS });
  }

  private deliverFacts(): void {
    const due = this.inFlight.filter(({ atMs }) => atMs <= this.nowMs);
    this.inFlight = this.inFlight.filter(({ atMs }) => atMs > this.nowMs);
    for (const fact of this.random.shuffle(due)) this.record(fact);
  }

  private record(fact: Fact): void {
    const round = this.records.rounds.find(({ number }) => number === fact.roundNumber);
    const part = round?.participations.find(({ siteName }) => siteName === fact.siteName);
    if (round === undefined || part === undefined || !['planned', 'inviting', 'training'].includes(round.state)) return; // ROUND_CLOSED
    try {
      if (!isParticipationNews(part.state, fact.state)) return;
    } catch {
      return; // refused; the site syncs
    }
    part.state = fact.state;
    if (fact.state === 'delivered') part.deliveredAtMs = this.nowMs;
  }

  /** The process dies: messages on their way are lost, undelivered updates are offered again after the restart. */
  private crash(): void {
    this.crashes++;
    this.inFlight = [];
    this.nowMs += this.random.between(100, 10_000);
    for (const fact of this.journals.values())
      this.inFlight.push({ ...fact, atMs: Math.max(fact.atMs, this.nowMs + SYNC_EVERY_MS) });
  }
}
