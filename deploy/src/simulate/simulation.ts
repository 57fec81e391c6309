import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FederationError } from '@consilium/shared/kernel';
import { createLog, type LiveBlock, type Log } from '@consilium/shared/terminal';
import {
  type CampaignPlan,
  campaignPlanSchema,
  type CampaignState,
  type CampaignView,
  campaignViewSchema,
  parseWith,
} from '@consilium/shared/wire';
import { CoordinatorProcess } from './coordinator-process.js';
import { type Disturbance, readTrace, writeTrace } from './disturbance-trace.js';
import { drawSlowSites, drawTraining } from './draw-sites.js';
import { enrolLightSite, lightSiteName } from './enrol-light-site.js';
import { LinkLosses } from './link-losses.js';
import { type ModelOfSize, modelOfSize } from './model-of-size.js';
import { TracePlayer } from './play-trace.js';
import { Relay } from './relay.js';
import { SimulatedSite } from './simulated-site.js';
import type { SimulationOptions } from './simulation-options.js';
import { type SimulationSummary, summariseRounds } from './simulation-summary.js';
import { SimulationView } from './simulation-view.js';
import { watchEvents } from './watch-events.js';

const CAMPAIGN = 'simulation';
const STEPS = 100;
const REDRAW_MS = 250;
const POLL_MS = 200;
/** Every so many polls. */
const RARELY = 15;
const ENDED: ReadonlySet<CampaignState> = new Set(['finished', 'failed', 'cancelled']);
const NEEDS_A_RELAY: ReadonlySet<Disturbance['kind']> = new Set(['cut', 'silent', 'kill']);

/** A coordinator in a process of its own and many sites in this one, in one folder. `close` ends all of them. */
export class Simulation {
  private readonly sites = new Map<string, SimulatedSite>();
  private readonly relays: Relay[] = [];
  private readonly log: Log;
  private readonly trace: readonly Disturbance[];
  private readonly model: ModelOfSize;
  private readonly plan: CampaignPlan;
  private coordinator: CoordinatorProcess | undefined;
  private broken: FederationError | undefined;
  private hasMoved = false;

  /** Throws ARGUMENT_INVALID or CAMPAIGN_INVALID before anything is started. */
  constructor(
    private readonly options: SimulationOptions,
    private readonly folder: string,
  ) {
    const names = Array.from({ length: options.sites }, (_, index) => lightSiteName(index));
    const given = options.traceFile === undefined ? [] : readTrace(options.traceFile, names);
    this.trace = [...drawSlowSites(names, options), ...given];
    this.model = modelOfSize(options.parameters);
    this.plan = campaignPlan(options, this.model);
    mkdirSync(folder, { recursive: true });
    this.log = createLog({ level: options.logLevel, stream: createWriteStream(join(folder, 'sites.log')) });
  }

  /** Starts everything and resolves when all sites are connected. */
  async open(say: (line: string) => void, signal: AbortSignal): Promise<void> {
    const logFile = join(this.folder, 'coordinator.log');
    this.coordinator = await CoordinatorProcess.start({ home: join(this.folder, 'coordinator'), logFile });
    say(`coordinator listens at ${this.coordinator.url}`);
    const needRelay = new Set(this.trace.filter(({ kind }) => NEEDS_A_RELAY.has(kind)).map(({ site }) => site));
    for (let index = 0; index < this.options.sites; index++) {
      signal.throwIfAborted();
      const name = lightSiteName(index);
      await this.addSite(this.coordinator, name, index, needRelay.has(name));
    }
    for (const site of this.sites.values()) site.start();
    while ([...this.sites.values()].some(({ status }) => status?.connection !== 'connected')) await this.look(signal);
    say(`${this.sites.size} sites are connected, ${this.model.parameters} parameters each`);
  }

  /** Starts the campaign, plays the trace, and resolves when the campaign has ended, however it ended. */
  async run(block: LiveBlock, signal: AbortSignal): Promise<SimulationSummary> {
    const { coordinator } = this;
    if (coordinator === undefined) throw new FederationError('INVARIANT', 'a simulation is opened before it runs');
    const view = new SimulationView(this.sites.size, this.options.rounds, Date.now());
    const endWatch = await watchEvents(coordinator.access(), (event) => {
      this.hasMoved ||= event.kind === 'campaign';
      const line = view.apply(event);
      if (line !== undefined) block.printAbove(line);
    });
    const player = new TracePlayer(this.trace, this.sites);
    const losses = new LinkLosses();
    const redraw = setInterval(() => this.draw(view, block), REDRAW_MS);
    try {
      await coordinator.operator().post('/api/campaigns', campaignViewSchema, this.plan);
      player.start();
      const campaign = await this.untilEnded(coordinator, () => this.noteLosses(player, losses), signal);
      this.draw(view, block);
      const suffered = [...player.stop(), ...losses.finish(player.elapsedSeconds)];
      if (this.options.recordFile !== undefined) writeTrace(this.options.recordFile, suffered);
      return this.summarise(campaign, player.elapsedSeconds, suffered.length);
    } finally {
      clearInterval(redraw);
      player.stop();
      endWatch();
      block.finish();
    }
  }

  /** Ends sites, relays and the coordinator; may be called at any time. */
  async close(): Promise<void> {
    await Promise.all([...this.sites.values()].map((site) => site.stop()));
    await Promise.all(this.relays.map((relay) => relay.close()));
    await this.coordinator?.stop();
  }

  private async addSite(coordinator: CoordinatorProcess, name: string, index: number, hasRelay: boolean): Promise<void> {
    const relay = hasRelay ? await Relay.open(Number(new URL(coordinator.url).port)) : undefined;
    if (relay !== undefined) this.relays.push(relay);
    const home = join(this.folder, name);
    await enrolLightSite(coordinator.operator(), { name, home, coordinatorUrl: relay?.url ?? coordinator.url });
    const site = new SimulatedSite({
      name,
      home,
      training: drawTraining(index, this.options),
      log: prefixed(this.log, name),
      relay,
      onEnded: (error) => (this.broken ??= error),
    });
    this.sites.set(name, site);
  }

  /** Asks for the campaign when an event says that it has moved, and rarely without: its view costs the coordinator something. */
  private async untilEnded(coordinator: CoordinatorProcess, between: () => void, signal: AbortSignal): Promise<CampaignView> {
    for (let rest = 0; ; rest--) {
      if (this.hasMoved || rest <= 0) {
        this.hasMoved = false;
        const view = await this.campaign(coordinator);
        if (view !== undefined && ENDED.has(view.state)) return view;
        rest = RARELY;
      }
      await this.look(signal);
      between();
    }
  }

  /** Undefined when the coordinator has no time for an answer; `look` notices when it is gone. */
  private async campaign(coordinator: CoordinatorProcess): Promise<CampaignView | undefined> {
    try {
      return await coordinator.operator().get(`/api/campaigns/${CAMPAIGN}`, campaignViewSchema);
    } catch (thrown) {
      if (FederationError.from(thrown).code === 'COORDINATOR_UNREACHABLE') return undefined;
      throw thrown;
    }
  }

  /** A pause; throws what has gone wrong meanwhile. */
  private async look(signal: AbortSignal): Promise<void> {
    await sleep(POLL_MS, undefined, { signal });
    if (this.broken !== undefined) throw this.broken;
    if (this.coordinator?.hasEnded() === true) {
      throw new FederationError('COORDINATOR_UNREACHABLE', 'the coordinator of the simulation has ended', {
        remedy: `See ${join(this.folder, 'coordinator.log')}.`,
      });
    }
  }

  private noteLosses(player: TracePlayer, losses: LinkLosses): void {
    const atSeconds = Math.round(1000 * player.elapsedSeconds) / 1000;
    for (const { name, status } of this.sites.values()) {
      const isDisturbed = player.activeOf(name).some(({ kind }) => NEEDS_A_RELAY.has(kind));
      losses.note(name, status?.connection === 'connected', isDisturbed, atSeconds);
    }
  }

  private draw(view: SimulationView, block: LiveBlock): void {
    const glances = [...this.sites.values()].map(({ isRunning, status }) => ({
      phase: status?.phase,
      isConnected: isRunning && status?.connection === 'connected',
    }));
    block.render(view.lines(glances, Date.now()));
  }

  private summarise(campaign: CampaignView, seconds: number, disturbances: number): SimulationSummary {
    const sum = (bytesOf: (site: SimulatedSite) => number): number =>
      [...this.sites.values()].reduce((total, site) => total + bytesOf(site), 0);
    return {
      sites: this.sites.size,
      parameters: this.model.parameters,
      state: campaign.state,
      rounds: summariseRounds(campaign),
      seconds: Math.round(1000 * seconds) / 1000,
      uploadedBytes: sum((site) => site.uploadedBytes),
      downloadedBytes: sum((site) => site.downloadedBytes),
      coordinatorPeakMiB: peakMiB(this.coordinator?.pid),
      disturbances,
      versionNumber: campaign.version.number,
      digest: campaign.version.digest,
    };
  }
}

function campaignPlan({ rounds, quorum, grace, recipe, format, seed }: SimulationOptions, { spec }: ModelOfSize): CampaignPlan {
  const plan = {
    name: CAMPAIGN,
    model: spec,
    patch: { sizeVoxels: [64, 64, 64] },
    training: { steps: STEPS },
    recipe: { name: recipe },
    ...(format === 'f32' ? {} : { updates: { format } }),
    rounds,
    quorum,
    grace,
    seed,
  };
  return parseWith(campaignPlanSchema, plan, 'CAMPAIGN_INVALID', 'the simulated campaign');
}

function prefixed(log: Log, name: string): Log {
  return {
    debug: (text) => log.debug(`${name}: ${text}`),
    info: (text) => log.info(`${name}: ${text}`),
    warn: (text) => log.warn(`${name}: ${text}`),
    error: (text) => log.error(`${name}: ${text}`),
  };
}

/** Linux tells; elsewhere null. */
function peakMiB(pid: number | undefined): number | null {
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes) / 1024;
  } catch {
    return null;
  }
}
