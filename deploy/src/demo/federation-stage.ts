import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CampaignEvent, campaignEventSchema, type CampaignView, OPERATOR_NAMESPACE } from '@consilium/shared/wire';
import { formatDuration } from '@consilium/shared/kernel';
import { createLiveBlock } from '@consilium/shared/terminal';
import { io } from 'socket.io-client';
import { z } from 'zod';
import { CoordinatorAccess } from './coordinator-access.js';
import { COORDINATOR_PROGRAM, type DemoPlan, HOSPITALS, SITE_AGENT_PROGRAM } from './demo-plan.js';
import type { OutputFolder } from './output-folder.js';
import { FederationView } from './federation-view.js';
import type { Program, ProgramGroup } from './program-group.js';
import { StepFailed } from './step-failed.js';

const START_TIMEOUT_MS = 30_000;
const REDRAW_MS = 250;

const enrolmentSchema = z.object({ token: z.string() });

/** A started federation: a coordinator and one running agent per hospital. */
export interface Federation {
  readonly access: CoordinatorAccess;
  readonly coordinator: Program;
  readonly agents: ReadonlyMap<string, Program>;
}

/** Starts the coordinator on a free port; each hospital enrols, indexes its scans and starts its agent. */
export async function startFederation(
  group: ProgramGroup,
  output: OutputFolder,
  say: (line: string) => void,
): Promise<Federation> {
  const home = output.coordinatorHome;
  const coordinator = group.start(
    'coordinator',
    COORDINATOR_PROGRAM,
    ['start', '--home', home, '--port', '0'],
    join(output.logs, 'coordinator.log'),
  );
  const access = new CoordinatorAccess(home);
  const url = await waitForUrl(access, coordinator);
  say(`coordinator listens at ${url}`);
  const agents = new Map<string, Program>();
  for (const { name, scans, summary } of HOSPITALS) {
    const log = join(output.logs, `${name}.log`);
    const site = ['--home', output.siteHome(name)];
    const enrolment = await group.run(
      'site enrol',
      COORDINATOR_PROGRAM,
      ['site', 'enrol', name, '--home', home, '--json'],
      join(output.logs, 'operator.log'),
    );
    const { token } = enrolmentSchema.parse(JSON.parse(enrolment));
    await group.run(`join of ${name}`, SITE_AGENT_PROGRAM, [...site, 'join', '--coordinator', url, '--token', token], log);
    await group.run(`index of ${name}`, SITE_AGENT_PROGRAM, [...site, 'index', scans], log);
    agents.set(name, group.start(`agent of ${name}`, SITE_AGENT_PROGRAM, [...site, 'start'], log));
    say(`${name} (${summary}) is enrolled, its scans are indexed, its agent runs`);
  }
  return { access, coordinator, agents };
}

/** Starts the campaign and follows it to its end on the terminal; returns the coordinator's final view of it. */
export async function runCampaign(
  group: ProgramGroup,
  federation: Federation,
  output: OutputFolder,
  plan: DemoPlan,
  say: (line: string) => void,
): Promise<CampaignView> {
  const startedMs = Date.now();
  const view = new FederationView(HOSPITALS, plan.rounds, startedMs);
  const block = createLiveBlock();
  const unfollow = follow(federation.access, (event) => {
    const line = view.apply(event);
    if (line !== undefined) block.printAbove(line);
  });
  const redraw = setInterval(() => block.render(view.lines(Date.now())), REDRAW_MS);
  const programs = [federation.coordinator, ...federation.agents.values()].map((program) => program.ended);
  try {
    const start = ['campaign', 'start', output.campaignFile, '--home', output.coordinatorHome];
    await group.run('campaign start', COORDINATOR_PROGRAM, start, join(output.logs, 'operator.log'));
    const campaign = await Promise.race([waitForEnd(federation.access, plan.campaignName), ...programs.map(neverEndsByItself)]);
    block.render(view.lines(Date.now()));
    say(`campaign ${campaign.name} ${campaign.state} after ${formatDuration(Date.now() - startedMs)}`);
    if (campaign.state === 'finished') return campaign;
    throw new StepFailed(`the campaign ended as ${campaign.state} (${campaign.code ?? 'no code'}).\n  Logs: ${output.logs}`, 70);
  } finally {
    clearInterval(redraw);
    unfollow();
    block.finish();
  }
}

/** Subscribes to the coordinator's events; returns the function that ends it. */
function follow(access: CoordinatorAccess, onEvent: (event: CampaignEvent) => void): () => void {
  const socket = io(`${access.url()}${OPERATOR_NAMESPACE}`, { auth: { token: access.token() }, transports: ['websocket'] });
  socket.on('campaign:event', (event: unknown) => {
    const parsed = campaignEventSchema.safeParse(event);
    if (parsed.success) onEvent(parsed.data);
  });
  return () => void socket.disconnect();
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
