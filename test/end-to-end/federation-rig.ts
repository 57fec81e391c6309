import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../deploy/src/programs/free-port.js';
import { type CampaignView, campaignViewSchema } from '../../shared/src/wire/index.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAMS = {
  coordinator: join(PROJECT_ROOT, 'coordinator/bin/coordinator.mjs'),
  'site-agent': join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs'),
} as const;
export type ProgramName = keyof typeof PROGRAMS;

/** How a finished command ended and what it printed. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a site's status page tells, as far as these tests look at it. */
export interface SiteStatus {
  readonly phase: string;
  readonly round: number | null;
  readonly step: number;
  readonly trainerPid: number | null;
  readonly connection: string;
}

/** A coordinator and its sites as real processes in one temporary folder; `remove` kills and deletes whatever is left. */
export class FederationRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'consilium-e2e-'));
  readonly coordinatorHome = join(this.folder, 'coordinator');
  private readonly running = new Set<ChildProcess>();
  private readonly agents = new Map<string, ChildProcess>();
  private coordinator: ChildProcess | undefined;
  private port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  siteHome(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a command to its end. */
  async run(program: ProgramName, ...args: string[]): Promise<CommandResult> {
    const child = this.spawn(program, args);
    const said = collect(child);
    const status = await ended(child);
    return { status, ...said() };
  }

  /** Starts the coordinator, always on the same port, so that a restarted one is found again. */
  async startCoordinator(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    this.coordinator = this.spawn('coordinator', ['start', '--home', this.coordinatorHome, '--port', String(this.port)]);
    const said = collect(this.coordinator);
    await waitFor(
      'the coordinator to listen',
      async () => (await fetch(`${this.url}/api/health`).catch(() => undefined))?.ok === true,
      () => JSON.stringify(said()),
    );
  }

  async killCoordinator(signal: NodeJS.Signals): Promise<number | null> {
    return this.coordinator === undefined ? null : kill(this.coordinator, signal);
  }

  /** Enrols a site, writes one made scan of the modality per seed, joins and indexes. */
  async prepareSite(name: string, scanSeeds: readonly string[], modality: 'CT' | 'MR' = 'CT'): Promise<void> {
    const scans = join(this.folder, `${name}-scans`);
    mkdirSync(scans, { recursive: true });
    for (const seed of scanSeeds) writeNifti(join(scans, `${seed}.nii.gz`), makePhantom(seed, modality));
    const token = await this.enrolmentToken(name);
    const home = ['--home', this.siteHome(name)];
    for (const args of [
      ['join', '--coordinator', this.url, '--token', token],
      ['index', scans, '--modality', modality],
    ]) {
      const result = await this.run('site-agent', ...home, ...args);
      if (result.status !== 0) throw new Error(`${args[0]} of ${name} failed: ${result.stderr}`);
    }
  }

  async enrolmentToken(name: string): Promise<string> {
    const enrolled = await this.run('coordinator', 'site', 'enrol', name, '--home', this.coordinatorHome, '--json');
    if (enrolled.status !== 0) throw new Error(`enrolment of ${name} failed: ${enrolled.stderr}`);
    return (JSON.parse(enrolled.stdout) as { token: string }).token;
  }

  startAgent(name: string): () => { stdout: string; stderr: string } {
    const child = this.spawn('site-agent', ['--home', this.siteHome(name), 'start', '--threads', '1']);
    this.agents.set(name, child);
    return collect(child);
  }

  async killAgent(name: string, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.agents.get(name);
    return child === undefined ? null : kill(child, signal);
  }

  /** The agent's own status page; undefined while it does not answer. */
  async status(name: string): Promise<SiteStatus | undefined> {
    try {
      const { port } = JSON.parse(readFileSync(join(this.siteHome(name), 'agent.json'), 'utf8')) as { port: number };
      return (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as SiteStatus;
    } catch {
      return undefined;
    }
  }

  /** Starts a campaign from plain data; throws with the command's words when it is refused. */
  async startCampaign(plan: Record<string, unknown>): Promise<void> {
    const file = join(this.folder, 'campaign.json');
    writeFileSync(file, JSON.stringify(plan));
    const result = await this.run('coordinator', 'campaign', 'start', file, '--home', this.coordinatorHome);
    if (result.status !== 0) throw new Error(`campaign start failed: ${result.stderr}`);
  }

  async campaign(name: string): Promise<CampaignView> {
    const answer = await this.operatorFetch(`/api/campaigns/${name}`);
    return campaignViewSchema.parse(await answer.json());
  }

  async operatorFetch(path: string): Promise<Response> {
    const token = readFileSync(join(this.coordinatorHome, 'operator.token'), 'utf8').trim();
    return fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  }

  async waitForCampaign(name: string, isThere: (campaign: CampaignView) => boolean, timeoutMs = 120_000): Promise<CampaignView> {
    let last: CampaignView | undefined;
    await waitFor(
      `campaign ${name}`,
      async () => {
        last = await this.campaign(name).catch(() => undefined);
        return last !== undefined && isThere(last);
      },
      () => JSON.stringify(last),
      timeoutMs,
    );
    if (last === undefined) throw new Error('the campaign was seen a moment ago');
    return last;
  }

  async remove(): Promise<void> {
    for (const child of this.running) await kill(child, 'SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private spawn(program: ProgramName, args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [PROGRAMS[program], ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.add(child);
    child.once('exit', () => this.running.delete(child));
    return child;
  }
}

/** Polls until the condition holds; the error tells what was waited for and what was seen last. */
export async function waitFor(
  what: string,
  isTrue: () => Promise<boolean>,
  seen: () => string = () => '',
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${seen()}`);
    await sleep(30);
  }
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  return () => said;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((settle, reject) => {
    child.once('error', reject);
    child.once('close', (status) => settle(status));
  });
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const gone = ended(child);
  child.kill(signal);
  return gone;
}
