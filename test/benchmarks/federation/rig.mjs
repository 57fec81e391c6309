/** The processes of one measured federation and its temporary folder. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignViewSchema, siteViewSchema } from '../../../shared/dist/wire/index.js';
import { CoordinatorProcess } from '../../../deploy/dist/simulate/coordinator-process.js';
import { enrolLightSite, lightSiteName } from '../../../deploy/dist/simulate/enrol-light-site.js';
import { Relay } from '../../../deploy/dist/simulate/relay.js';

const SITES_PROGRAM = join(import.meta.dirname, '../../../deploy/dist/simulate/light-sites-main.js');
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const CONNECT_TIMEOUT_MS = 120_000;

/** Gives a rig to `use` and clears everything away afterwards, on every way out of the process. */
export async function withRig({ keep }, use) {
  const rig = new FederationRig();
  const leave = () => {
    rig.killAll();
    if (!keep) rig.remove();
  };
  const interrupt = () => process.exit(130);
  process.on('exit', leave);
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await use(rig);
  } finally {
    await rig.stop();
    if (keep) console.error(rig.folder);
    leave();
    process.off('exit', leave);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

export class FederationRig {
  folder = mkdtempSync(join(tmpdir(), 'consilium-bench-'));
  coordinatorHome = join(this.folder, 'coordinator');
  /** @type {Map<string, import('node:child_process').ChildProcess>} */
  agents = new Map();
  coordinator;
  /** One per site, in front of the coordinator, where bytes are counted. */
  relays = [];
  agentOrders = new Map();

  async startCoordinator(nodeOptions = []) {
    const options = { home: this.coordinatorHome, logFile: join(this.folder, 'coordinator.log'), nodeOptions };
    this.coordinator = await CoordinatorProcess.start(options);
  }

  /** With relays, each site reaches the coordinator through one of its own. */
  async enrol(count, { withRelays = false } = {}) {
    const operator = this.coordinator.operator();
    const { url } = this.coordinator;
    for (let index = 0; index < count; index++) {
      const name = lightSiteName(index);
      if (withRelays) this.relays[index] = await Relay.open(Number(new URL(url).port));
      await enrolLightSite(operator, { name, home: this.homeOf(index), coordinatorUrl: this.relays[index]?.url ?? url });
    }
  }

  homeOf(index) {
    return join(this.folder, lightSiteName(index));
  }

  /** One process for the given sites (`LightSitesPlan.sites` without homes); the process has the name of the first. */
  startAgent(sites, { nodeOptions = [], ...plan } = {}) {
    const name = lightSiteName(sites[0].index);
    const planFile = join(this.folder, `${name}.json`);
    const homes = sites.map((site) => ({ ...site, home: this.homeOf(site.index) }));
    writeFileSync(planFile, JSON.stringify({ ...plan, sites: homes }));
    this.agentOrders.set(name, [...nodeOptions, SITES_PROGRAM, planFile]);
    this.spawnAgent(name);
  }

  /** Once more the command of `startAgent`. */
  spawnAgent(name) {
    const log = openSync(join(this.folder, `${name}.log`), 'a');
    const child = spawn(process.execPath, this.agentOrders.get(name), { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.agents.set(name, child);
  }

  /** kill -9; nobody is told. */
  async killAgent(name) {
    const child = this.agents.get(name);
    this.agents.delete(name);
    await ended(child, 'SIGKILL');
  }

  async untilConnected(count) {
    const operator = this.coordinator.operator();
    for (const deadlineMs = Date.now() + CONNECT_TIMEOUT_MS; ; await sleep(50)) {
      const sites = await operator.get('/api/sites', siteViewSchema.array()).catch(() => []); // busy: asked again
      if (sites.filter(({ connected }) => connected).length >= count) return;
      this.requireAgents();
      if (Date.now() > deadlineMs) throw new Error(`not all sites connected; the logs: ${this.folder}`);
    }
  }

  requireAgents() {
    for (const [name, child] of this.agents) {
      if (child.exitCode === null && child.signalCode === null) continue;
      throw new Error(`the agent of ${name} ended: ${readFileSync(join(this.folder, `${name}.log`), 'utf8').slice(-500)}`);
    }
  }

  campaign(name) {
    return this.coordinator.operator().get(`/api/campaigns/${name}`, campaignViewSchema);
  }

  startCampaign(plan) {
    return this.coordinator.operator().post('/api/campaigns', campaignViewSchema, plan);
  }

  async download(campaign, { number, digest }) {
    const folder = join(this.folder, 'versions');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${number}.safetensors`);
    await this.coordinator.operator().download(`/api/campaigns/${campaign}/versions/${number}/content`, digest, path);
    return path;
  }

  /** Of all processes that still run. */
  get pids() {
    return [this.coordinator.pid, ...[...this.agents.values()].map(({ pid }) => pid)];
  }

  async stop() {
    await Promise.all([...this.agents.values()].map((child) => ended(child, 'SIGTERM')));
    await this.coordinator?.stop();
    await Promise.all(this.relays.map((relay) => relay.close()));
  }

  /** Ends everything at once; also from an exit handler, so without waiting. */
  killAll() {
    for (const child of this.agents.values()) child.kill('SIGKILL');
    void this.coordinator?.stop('SIGKILL');
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((settle) => child.once('exit', settle));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 8000);
  await gone;
  clearTimeout(timer);
}
