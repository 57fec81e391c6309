import { HOME_OPERATOR } from '../../../coordinator/src/access/operator-caller.js';
import { type ErrorCode, FederationError, Random } from '@consilium/shared/kernel';
import { type CampaignPlan, DATA_PATHS, PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { CoordinatorDisk } from './coordinator-disk.js';
import { Life } from './life.js';
import { Schedule } from './schedule.js';
import { SimulatedCoordinator } from './simulated-coordinator.js';
import { runAgent, type SiteIdentity } from './simulated-site.js';
import { SiteDisk } from './site-disk.js';
import { SiteLine } from './site-line.js';
import { COORDINATOR, type OperatorAct, type PlannedDeath, type SitePlan, type WorldPlan } from './world-plan.js';

/** An answer that an agent has heard. */
export interface HeardAnswer {
  readonly siteName: string;
  readonly request: string;
  readonly body: object;
  readonly value: unknown;
}

interface SimulatedSite {
  readonly plan: SitePlan;
  readonly disk: SiteDisk;
  readonly line: SiteLine;
  identity: SiteIdentity | undefined;
  life: Life | undefined;
  starts: number;
}

/** Sites of this world have no keys: what signs and checks takes no simulated time. */
const UNSIGNED = { headers: {}, method: 'POST', originalUrl: DATA_PATHS.enrolment };
const OPERATOR_TRIES_AGAIN_MS = 5_000;
/** For whoever still has to hear that something is over. */
const AFTERWARDS_MS = 30_000;
const OPERATOR_LOOKS_EVERY_MS = 30_000;

/**
 * A federation in simulated time: the coordinator's and the agents' real logic, over lines, disks and clocks that fail as the plan
 * says. The same plan gives the same history.
 */
export class World {
  readonly schedule = new Schedule();
  readonly disk = new CoordinatorDisk();
  /** Steps that trainers have really computed, by participation. */
  readonly computedSteps = new Map<string, number>();
  readonly writes = new Map<string, number>();
  readonly deaths = new Map<string, number>();
  /** Errors that an operator must never see, and such as end an agent without a refusal. */
  readonly problems: unknown[] = [];
  /** What the operator was refused. */
  readonly refusals: FederationError[] = [];
  coordinator: SimulatedCoordinator | undefined;
  /** Time in which no coordinator was there. */
  coordinatorAwayMs = 0;
  private readonly random: Random;
  private readonly sites: ReadonlyMap<string, SimulatedSite>;
  private readonly answerListeners: ((answer: HeardAnswer) => void)[] = [];
  private readonly resumed = new Map<string, number>();
  private actsToCome: number;
  private readonly asked: OperatorAct['act'][] = [];
  private isEnding = false;
  /** Known until the next commit. */
  private allEnded: boolean | undefined;

  constructor(readonly plan: WorldPlan) {
    this.random = new Random(`world/${plan.seed}`);
    this.actsToCome = plan.acts.length;
    this.disk.records.onCommit(() => (this.allEnded = undefined));
    this.sites = new Map(
      plan.sites.map((site) => {
        const line = new SiteLine(this.schedule, this.random.fork(`line/${site.name}`), site.quality, site.cuts);
        return [site.name, { plan: site, disk: new SiteDisk(), line, identity: undefined, life: undefined, starts: 0 }];
      }),
    );
  }

  onAnswer(listener: (answer: HeardAnswer) => void): void {
    this.answerListeners.push(listener);
  }

  siteDisk(name: string): SiteDisk {
    return this.site(name).disk;
  }

  deathsOf(process: string): number {
    return this.deaths.get(process) ?? 0;
  }

  /** What the operator asked for, whatever the records say of it. */
  askedPlan(campaignName: string): CampaignPlan | undefined {
    return this.plan.acts
      .flatMap(({ act }) => (act.kind === 'start' ? [act.campaign] : []))
      .find(({ name }) => name === campaignName);
  }

  campaigns(): Campaign[] {
    return this.disk.records.rowsOf(Campaign);
  }

  /** Runs until every campaign has ended and every act is done; throws when that does not come within the simulated time. */
  async run(limitMs: number): Promise<void> {
    this.startCoordinator();
    for (const site of this.sites.values())
      this.operate(
        (at) => this.enrol(at, site),
        () => this.startAgentAt(site),
      );
    for (const { atMs, act } of this.plan.acts) this.schedule.after(atMs, () => this.askOperator(act));
    this.lookAfterFailures();
    const hasEnded = await this.schedule.runUntil(() => this.isOver(), limitMs);
    if (hasEnded) await this.schedule.runUntil(() => false, AFTERWARDS_MS);
    this.endAll();
    if (!hasEnded) throw new Error(`the campaigns did not end within ${limitMs} ms of simulated time`);
  }

  private isOver(): boolean {
    if (this.actsToCome > 0) return false;
    this.allEnded ??= this.campaigns().every((campaign) => this.hasEnded(campaign));
    return this.allEnded;
  }

  private hasEnded({ id, state }: Campaign): boolean {
    return (
      state === 'finished' || state === 'cancelled' || (state === 'failed' && (this.resumed.get(id) ?? 0) >= this.plan.resumes)
    );
  }

  private endAll(): void {
    this.isEnding = true;
    this.coordinator?.life.end();
    for (const { life, disk } of this.sites.values()) {
      life?.end();
      disk.close();
    }
  }

  private site(name: string): SimulatedSite {
    const site = this.sites.get(name);
    if (site === undefined) throw new Error(`there is no site ${name} in this world`);
    return site;
  }

  // Processes

  private newLife(process: string, skewMs: number): Life {
    return new Life(process, this.schedule, (name) => this.fateAtWrite(name), skewMs);
  }

  private fateAtWrite(process: string): PlannedDeath['when'] | 'lives' {
    const write = (this.writes.get(process) ?? 0) + 1;
    this.writes.set(process, write);
    const planned = this.plan.plannedDeaths.find((death) => death.process === process && death.write === write);
    if (planned !== undefined) return planned.when;
    if (this.plan.deathsAtWrites === 0 || !this.random.chance(this.plan.deathsAtWrites)) return 'lives';
    return this.random.chance(0.5) ? 'dies-before' : 'dies-after';
  }

  private startCoordinator(): void {
    const life = this.newLife(COORDINATOR, this.plan.coordinatorSkewMs);
    life.onDeath(() => {
      this.coordinator = undefined;
      this.countDeath(COORDINATOR);
      const deadMs = this.deadForMs();
      this.coordinatorAwayMs += deadMs;
      this.schedule.after(deadMs, () => this.startCoordinator());
    });
    this.coordinator = new SimulatedCoordinator(life, this.disk, this.plan);
  }

  private startAgentAt(site: SimulatedSite): void {
    const startsInMs = site.plan.startsAtMs - this.schedule.elapsedMs;
    this.schedule.after(startsInMs, () => this.startAgent(site));
  }

  private startAgent(site: SimulatedSite): void {
    const { plan, disk, line, identity } = site;
    if (identity === undefined || site.life !== undefined) return;
    const life = this.newLife(plan.name, plan.skewMs);
    site.life = life;
    life.onDeath(() => {
      site.life = undefined;
      this.countDeath(plan.name);
      this.schedule.after(this.deadForMs(), () => this.startAgent(site));
    });
    const ended = runAgent(
      {
        ...{ identity, life, disk, line, temper: plan.temper, chunks: plan.chunks, altered: plan.altered },
        random: this.random.fork(`agent/${plan.name}/${site.starts++}`),
        coordinator: () => this.coordinator,
        onSteps: (participationId, steps) =>
          this.computedSteps.set(participationId, (this.computedSteps.get(participationId) ?? 0) + steps),
        onAnswered: (request, body, value) =>
          this.answerListeners.forEach((listener) => listener({ siteName: plan.name, request, body, value })),
      },
      new AbortController().signal,
    );
    // A refused agent ends; a person has to see to it. A dead one ends in no way at all.
    ended.catch((error: unknown) => life.ifAlive(() => this.agentEnded(site, identity, error)));
  }

  private agentEnded(site: SimulatedSite, identity: SiteIdentity, error: unknown): void {
    site.life = undefined;
    if (FederationError.from(error).code !== 'CREDENTIAL_REFUSED') this.problems.push(error);
    // It has joined again in the meantime.
    if (site.identity !== identity) this.startAgent(site);
  }

  private countDeath(process: string): void {
    if (this.isEnding) return;
    this.deaths.set(process, this.deathsOf(process) + 1);
  }

  private deadForMs(): number {
    return this.random.between(...this.plan.deadForMs);
  }

  // The operator

  /** People do one thing after the other: what is asked while a command waits for its answer comes after it. */
  private askOperator(act: OperatorAct['act']): void {
    this.asked.push(act);
    if (this.asked.length === 1) this.perform(act);
  }

  private perform(act: OperatorAct['act']): void {
    const done = (): void => {
      this.actsToCome--;
      this.asked.shift();
      const [next] = this.asked;
      if (next !== undefined) this.perform(next);
    };
    switch (act.kind) {
      case 'start':
        // A required site may not be connected yet.
        return this.operate((at) => at.campaigns.start(act.campaign, HOME_OPERATOR.actor), done, {
          code: 'CAMPAIGN_INVALID',
          tries: 12,
        });
      case 'pause':
      case 'resume':
      case 'cancel':
        return this.operate((at) => at.campaigns[act.kind](act.campaignName, HOME_OPERATOR.actor), done);
      case 'revoke':
        return this.operate((at) => at.sites.revoke(act.siteName, HOME_OPERATOR), done);
      case 'rejoin': {
        const site = this.site(act.siteName);
        return this.operate(
          (at) => this.enrol(at, site),
          () => {
            done();
            this.startAgent(site);
          },
        );
      }
    }
  }

  /**
   * Repeats a command until a coordinator has answered it; a refusal is an answer too, unless it may pass: then it is tried some
   * more times.
   */
  private operate(
    command: (coordinator: SimulatedCoordinator) => Promise<unknown>,
    done: () => void,
    passing?: { readonly code: ErrorCode; readonly tries: number },
  ): void {
    const again = (next = passing): void =>
      void this.schedule.after(OPERATOR_TRIES_AGAIN_MS, () => this.operate(command, done, next));
    const { coordinator } = this;
    if (coordinator === undefined) return again();
    let isAnswered = false;
    const answered = (then: () => void) => (): void => {
      isAnswered = true;
      then();
    };
    coordinator.life.onDeath(() => {
      if (!isAnswered) again();
    });
    coordinator.life.hear(command(coordinator)).then(answered(done), (thrown: unknown) => {
      const error = FederationError.from(thrown);
      if (error.kind === 'invariant') this.problems.push(thrown);
      this.refusals.push(error);
      const mayPass = error.code === passing?.code && passing.tries > 1;
      answered(() => (mayPass ? again({ ...passing, tries: passing.tries - 1 }) : done()))();
    });
  }

  private async enrol({ sites, enrolment }: SimulatedCoordinator, site: SimulatedSite): Promise<void> {
    const { name } = site.plan;
    // The answer of an earlier try may have been lost, and the credential with it.
    const { token } = await sites.invite({ name }, HOME_OPERATOR).catch(async () => {
      await sites.revoke(name, HOME_OPERATOR);
      return sites.invite({ name }, HOME_OPERATOR);
    });
    const request = { protocolVersion: PROTOCOL_VERSION, token, agentVersion: '0.1.0' };
    const { siteId, siteName, credential } = await enrolment.enrol(request, UNSIGNED);
    site.identity = { id: siteId, name: siteName, credential };
  }

  private lookAfterFailures(): void {
    this.schedule.after(OPERATOR_LOOKS_EVERY_MS, () => {
      for (const campaign of this.campaigns().filter(({ state }) => state === 'failed')) {
        if (this.hasEnded(campaign)) continue;
        this.operate(
          (at) => at.campaigns.resume(campaign.name, HOME_OPERATOR.actor),
          () => {
            this.resumed.set(campaign.id, (this.resumed.get(campaign.id) ?? 0) + 1);
            this.allEnded = undefined;
          },
        );
      }
      this.lookAfterFailures();
    });
  }
}
