/** A federation of real processes on this machine: a coordinator and one agent per site, each with scans of its own. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignView } from '@consilium/shared/wire';
import { z } from 'zod';
import { CoordinatorAccess } from './coordinator-access.js';
import type { Program, ProgramGroup } from './program-group.js';
import { COORDINATOR_PROGRAM, SITE_AGENT_PROGRAM } from './project.js';
import { StepFailed } from './step-failed.js';

const START_TIMEOUT_MS = 30_000;

const enrolmentSchema = z.object({ token: z.string() });

/** One site to be: its name, a folder of scans, and a home folder of its own. */
export interface SiteToJoin {
  readonly name: string;
  readonly scans: string;
  readonly home: string;
  /** What is said of it on the terminal. */
  readonly summary: string;
}

export interface FederationPlan {
  readonly coordinatorHome: string;
  readonly logs: string;
  readonly sites: readonly SiteToJoin[];
  /** Options of `site-agent start`, such as a thread count. */
  readonly agentOptions?: readonly string[];
}

/** A started federation: a coordinator and one running agent per site. */
export interface Federation {
  readonly access: CoordinatorAccess;
  readonly coordinator: Program;
  readonly agents: ReadonlyMap<string, Program>;
}

/** Starts the coordinator on a free port; each site enrols, indexes its scans and starts its agent. */
export async function startFederation(
  group: ProgramGroup,
  { coordinatorHome, logs, sites, agentOptions = [] }: FederationPlan,
  say: (line: string) => void,
): Promise<Federation> {
  const start = ['start', '--home', coordinatorHome, '--port', '0'];
  const coordinator = group.start('coordinator', COORDINATOR_PROGRAM, start, coordinatorLog(logs));
  const access = new CoordinatorAccess(coordinatorHome);
  const url = await waitForUrl(access, coordinator);
  say(`coordinator listens at ${url}`);
  const agents = new Map<string, Program>();
  for (const { name, scans, home, summary } of sites) {
    const log = join(logs, `${name}.log`);
    const site = ['--home', home];
    const enrol = ['site', 'enrol', name, '--home', coordinatorHome, '--json'];
    const enrolment = await group.run('site enrol', COORDINATOR_PROGRAM, enrol, join(logs, 'operator.log'));
    const { token } = enrolmentSchema.parse(JSON.parse(enrolment));
    const tokenFile = join(logs, `${name}.token`);
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const joining = ['join', '--coordinator', url, '--token-file', tokenFile];
    await group.run(`join of ${name}`, SITE_AGENT_PROGRAM, [...site, ...joining], log);
    rmSync(tokenFile);
    await group.run(`index of ${name}`, SITE_AGENT_PROGRAM, [...site, 'index', scans], log);
    agents.set(name, group.start(`agent of ${name}`, SITE_AGENT_PROGRAM, [...site, 'start', ...agentOptions], log));
    say(`${name} (${summary}) is enrolled, its scans are indexed, its agent runs`);
  }
  return { access, coordinator, agents };
}

/** What the coordinator of a federation says: its rounds, and what becomes of each site's part. */
export function coordinatorLog(logs: string): string {
  return join(logs, 'coordinator.log');
}

/** The campaign's view once it has ended, whichever way; throws when one of the federation's programs ends before that. */
export async function campaignEnd({ access, coordinator, agents }: Federation, campaignName: string): Promise<CampaignView> {
  const programs = [coordinator, ...agents.values()].map((program) => program.ended);
  return Promise.race([waitForEnd(access, campaignName), ...programs.map(neverEndsByItself)]);
}

async function waitForUrl(access: CoordinatorAccess, coordinator: Program): Promise<string> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  let ended = false;
  coordinator.ended.then(
    () => (ended = true),
    () => (ended = true),
  );
  while (Date.now() < deadlineMs && !ended) {
    const url = access.url();
    if (url !== undefined && (await isHealthy(url))) return url;
    await sleep(100);
  }
  throw new StepFailed(`the coordinator did not start.\n  Its log: ${coordinator.logFile}`, 70);
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/api/health`).then(
    (answer) => answer.ok,
    () => false,
  );
}

async function waitForEnd(access: CoordinatorAccess, name: string): Promise<CampaignView> {
  for (;;) {
    const campaign = await access.campaign(name);
    if (['finished', 'failed', 'cancelled'].includes(campaign.state)) return campaign;
    await sleep(500);
  }
}

/** A program that ends while the campaign runs is a failure even with status 0. */
async function neverEndsByItself(ended: Promise<void>): Promise<never> {
  await ended;
  throw new StepFailed('a coordinator or agent ended while the campaign was running.', 70);
}
