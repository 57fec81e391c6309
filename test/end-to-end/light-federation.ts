import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CampaignEvent,
  type CampaignView,
  campaignViewSchema,
  siteViewSchema,
  type UpdateView,
  updateViewSchema,
} from '@consilium/shared/wire';
import { CoordinatorProcess } from '../../deploy/src/simulate/coordinator-process.js';
import { enrolLightSite, lightSiteName } from '../../deploy/src/simulate/enrol-light-site.js';
import type { LightSitesPlan } from '../../deploy/src/simulate/light-sites-main.js';
import { modelOfSize } from '../../deploy/src/simulate/model-of-size.js';
import { Relay } from '../../deploy/src/simulate/relay.js';
import { watchEvents } from '../../deploy/src/simulate/watch-events.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const SITES_PROGRAM = join(PROJECT_ROOT, 'deploy/dist/simulate/light-sites-main.js');

/** Far more than anything takes: the machine may be busy with other things. */
export const PATIENCE_MS = 180_000;

/** 4 MB as a file. */
export const SMALL_MODEL = modelOfSize(1_000_000);

/** Steps that a site does when it leaves none out. */
const STEPS = 1000;
const PATCHES_PER_STEP = 2;

/** A site's weight: site k leaves k steps out. */
export function patchesOf(index: number): number {
  return PATCHES_PER_STEP * (STEPS - index);
}

export type LightSite = Omit<LightSitesPlan['sites'][number], 'home'>;

export interface FederationOptions {
  /** Enrolled, each behind a relay of its own. */
  readonly sites: number;
  /** The coordinator's settings, as its file would hold them. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/**
 * The built coordinator and real agents with light trainers as processes in one temporary folder. Site k does k steps less than
 * planned, so that all weigh differently. Everything is seen and done from outside.
 */
export class LightFederation {
  readonly folder = mkdtempSync(join(tmpdir(), 'consilium-light-'));
  readonly coordinatorHome = join(this.folder, 'coordinator');
  readonly blobs = join(this.coordinatorHome, 'blobs');
  readonly uploads = join(this.coordinatorHome, 'uploads');
  readonly relays: Relay[] = [];
  readonly events: CampaignEvent[] = [];
  /** Heard at once, before anything else sees the event. */
  onEvent: ((event: CampaignEvent) => void) | undefined;
  coordinator!: CoordinatorProcess;
  private readonly agents = new Map<number, ChildProcess>();
  private endWatch: () => void = () => undefined;
  private wantsNoMore = false;

  static async open({ sites, settings }: FederationOptions): Promise<LightFederation> {
    const federation = new LightFederation();
    const { coordinatorHome: home, folder } = federation;
    mkdirSync(home);
    if (settings !== undefined) writeFileSync(join(home, 'coordinator.yaml'), JSON.stringify(settings));
    federation.coordinator = await CoordinatorProcess.start({ home, logFile: join(folder, 'coordinator.log') });
    for (let index = 0; index < sites; index++) {
      const relay = await Relay.open(Number(new URL(federation.coordinator.url).port));
      federation.relays.push(relay);
      const site = { name: lightSiteName(index), home: federation.homeOf(index), coordinatorUrl: relay.url };
      await enrolLightSite(federation.coordinator.operator(), site);
    }
    federation.endWatch = await watchEvents(federation.coordinator.access(), (event) => {
      federation.events.push(event);
      federation.onEvent?.(event);
    });
    return federation;
  }

  homeOf(index: number): string {
    return join(this.folder, lightSiteName(index));
  }

  relayOf(index: number): Relay {
    const relay = this.relays[index];
    if (relay === undefined) throw new Error(`there is no site ${index}`);
    return relay;
  }

  /** One process for the given sites, with the number of the first; resolves when all of them are connected. */
  async startSites(sites: readonly LightSite[], { statusPages = true } = {}): Promise<void> {
    const [first] = sites;
    if (first === undefined) return;
    const homes = sites.map((site) => ({ fewerSteps: site.index, ...site, home: this.homeOf(site.index) }));
    writeFileSync(this.fileOf(first.index, 'json'), JSON.stringify({ sites: homes, statusPages }));
    this.startAgain(first.index);
    await this.untilConnected(sites.map(({ index }) => index));
  }

  /** The process of that number once more, by the same command. */
  startAgain(index: number): void {
    const log = openSync(this.fileOf(index, 'log'), 'a');
    const child = spawn(process.execPath, [SITES_PROGRAM, this.fileOf(index, 'json')], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.agents.set(index, child);
  }

  agent(index: number): ChildProcess {
    const child = this.agents.get(index);
    if (child === undefined) throw new Error(`site ${index} was never started`);
    return child;
  }

  /** Returns when the process is gone. */
  async endAgent(index: number, signal: NodeJS.Signals): Promise<void> {
    await ended(this.agent(index), signal);
  }

  logOf(index: number): string {
    return readFileSync(this.fileOf(index, 'log'), 'utf8');
  }

  coordinatorLog(): string {
    return readFileSync(join(this.folder, 'coordinator.log'), 'utf8');
  }

  /** Sites that are connected now. */
  async connected(): Promise<string[]> {
    const sites = await this.coordinator.operator().get('/api/sites', siteViewSchema.array());
    return sites.filter(({ connected }) => connected).map(({ name }) => name);
  }

  async untilConnected(indices: readonly number[]): Promise<void> {
    const wanted = indices.map(lightSiteName);
    await this.until(`sites ${indices.join(', ')} to connect`, async () => {
      const present = await this.connected().catch((): string[] => []);
      return wanted.every((name) => present.includes(name));
    });
  }

  async start(plan: Readonly<Record<string, unknown>>): Promise<void> {
    await this.coordinator.operator().post('/api/campaigns', campaignViewSchema, campaignPlan(plan));
  }

  async campaign(name = CAMPAIGN): Promise<CampaignView> {
    return this.coordinator.operator().get(`/api/campaigns/${name}`, campaignViewSchema);
  }

  async control(action: 'pause' | 'resume'): Promise<void> {
    await this.coordinator.operator().post(`/api/campaigns/${CAMPAIGN}/${action}`, campaignViewSchema);
  }

  /** What arrived at the coordinator, by site and then by round. */
  async updates(): Promise<UpdateView[]> {
    const views = await this.coordinator.operator().get(`/api/updates?campaign=${CAMPAIGN}`, updateViewSchema.array());
    return views.sort((a, b) => (a.siteName < b.siteName ? -1 : a.siteName > b.siteName ? 1 : a.roundNumber - b.roundNumber));
  }

  /** The campaign's view at its good end; throws at any other end. */
  async finished(name = CAMPAIGN): Promise<CampaignView> {
    let view: CampaignView | undefined;
    await this.until('the end of the campaign', async () => {
      view = await this.campaign(name).catch(() => undefined);
      if (view?.state === 'failed' || view?.state === 'cancelled') throw new Error(`${view.state} with ${view.code}`);
      return view?.state === 'finished';
    });
    return view as CampaignView;
  }

  /** Resolves when such an event has been heard; earlier ones count. */
  async heard(wanted: Readonly<Record<string, unknown>>): Promise<void> {
    await this.until(JSON.stringify(wanted), async () => this.events.some((event) => matches(event, wanted)));
  }

  async until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
    for (const limitMs = Date.now() + PATIENCE_MS; !(await isTrue()); await sleep(10)) {
      if (Date.now() < limitMs && !this.wantsNoMore) continue;
      throw new Error(`waited in vain for ${what}\n${this.coordinatorLog().slice(-3000)}`);
    }
  }

  async close(): Promise<void> {
    this.wantsNoMore = true;
    this.endWatch();
    await Promise.all([...this.agents.values()].map((child) => ended(child, 'SIGKILL')));
    await this.coordinator.stop('SIGKILL');
    await Promise.all(this.relays.map((relay) => relay.close()));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private fileOf(index: number, kind: 'json' | 'log'): string {
    return join(this.folder, `${lightSiteName(index)}.${kind}`);
  }
}

const CAMPAIGN = 'light';

function campaignPlan(plan: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    name: CAMPAIGN,
    model: SMALL_MODEL.spec,
    patch: { sizeVoxels: [16, 16, 16] },
    training: { steps: STEPS, batchSize: PATCHES_PER_STEP },
    grace: '30min',
    ...plan,
  };
}

export function matches(event: CampaignEvent, wanted: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([key, value]) => (event as Record<string, unknown>)[key] === value);
}

/** Versions round by round. */
export function digestsOf({ roundViews }: CampaignView): (string | undefined)[] {
  return roundViews.map(({ version }) => version?.digest);
}

/** Names of those who delivered, round by round. */
export function deliveredIn({ roundViews }: CampaignView): string[][] {
  return roundViews.map(({ participations }) =>
    participations.filter(({ state }) => state === 'delivered').map(({ siteName }) => siteName),
  );
}

export function namesOf(...indices: number[]): string[] {
  return indices.map(lightSiteName);
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((settle) => {
    child.once('exit', () => settle());
    child.kill(signal);
  });
}
