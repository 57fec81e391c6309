import { Command } from 'commander';
import { formatDuration, formatShare, systemClock } from '@consilium/shared/kernel';
import { AgentJournal } from '../agent/agent-journal.js';
import type { AgentStatus } from '../agent/agent-status.js';
import { fetchStatus } from '../agent/status-page.js';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { requireHome } from '../config/site-folder.js';
import { readIdentity } from '../config/site-identity.js';
import { pause } from '../link/backoff.js';
import { PolicyFile } from '../policy/policy-file.js';
import { describePolicy, type PolicyView, policyView } from '../policy/policy-view.js';
import { createLiveBlock, formatBar } from '@consilium/shared/terminal';
import { type CollectionCounts, CollectionIndex } from '../collection/collection-index.js';

interface StatusOptions {
  readonly home: string;
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** What is known of a site from its folder, and from its agent when one runs. */
interface SiteOverview {
  readonly home: string;
  readonly site: string | null;
  readonly coordinator: string | null;
  readonly collection: CollectionCounts;
  readonly openRound: { readonly campaign: string; readonly round: number; readonly phase: string } | null;
  /** As its file is now; a running agent goes by the same. */
  readonly policy: PolicyView;
  /** Null when no agent runs. */
  readonly agent: AgentStatus | null;
}

const WATCH_EVERY_MS = 1000;

/** `site-agent status`: what this site is and what its agent is doing. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show what this site is and what its agent is doing')
    .option('--json', 'print everything as JSON')
    .option('--watch', 'keep showing it until Ctrl-C')
    .action(async (_options: unknown, command: Command) => showStatus(command.optsWithGlobals<StatusOptions>()));
}

async function showStatus({ home, json, watch }: StatusOptions): Promise<void> {
  const config = loadAgentConfig({ home });
  const { folder } = config;
  requireHome(folder);
  if (watch !== true) {
    const overview = await look(config);
    console.log(json === true ? JSON.stringify(overview, null, 2) : describe(overview).join('\n'));
    return;
  }
  const block = createLiveBlock();
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  while (!stop.signal.aborted) {
    const overview = await look(config);
    if (json === true) console.log(JSON.stringify(overview));
    else if (process.stdout.isTTY) block.render(describe(overview));
    else console.log(`${describe(overview).join('\n')}\n`);
    await pause(WATCH_EVERY_MS, stop.signal);
  }
  block.finish();
}

async function look({ folder, policyFile, policyIsNamed }: AgentConfig): Promise<SiteOverview> {
  const identity = readIdentity(folder);
  const index = CollectionIndex.open(folder.databaseFile);
  const journal = AgentJournal.open(folder.databaseFile);
  try {
    const open = journal.openParticipation();
    return {
      home: folder.home,
      site: identity?.siteName ?? null,
      coordinator: identity?.coordinatorUrl ?? null,
      collection: index.counts(),
      openRound:
        open === undefined ? null : { campaign: open.plan.campaignName, round: open.plan.roundNumber, phase: open.phase },
      policy: policyView(new PolicyFile(policyFile, policyIsNamed).read()),
      agent: (await fetchStatus(folder)) ?? null,
    };
  } finally {
    journal.close();
    index.close();
  }
}

function describe({ home, site, coordinator, collection, openRound, policy, agent }: SiteOverview): string[] {
  const { usable, byModality, scans, refused, unchecked } = collection;
  const open = unchecked === 0 ? '' : `, ${unchecked} not read yet`;
  const lines = [
    `site         ${site === null ? 'not joined yet: site-agent join --coordinator URL' : site}`,
    `folder       ${home}`,
    `coordinator  ${coordinator ?? '–'}${agent === null ? '' : `  (${describeConnection(agent)})`}`,
    `collection   ${usable} volumes (CT ${byModality.CT}, MR ${byModality.MR}) of ${scans} scans, ${refused} refused${open}`,
    `policy       ${describePolicy(policy)}`,
  ];
  if (openRound !== null) lines.push(`round        ${openRound.round} of ${openRound.campaign}, ${openRound.phase}`);
  return [...lines, ...describeAgent(agent)];
}

function describeAgent(agent: AgentStatus | null): string[] {
  if (agent === null) return ['agent        does not run'];
  const lines = [
    `agent        process ${agent.pid}, ${agent.phase}, up ${formatDuration(systemClock.nowMs() - agent.startedAtMs)}, ` +
      `${agent.deliveredUpdates} updates delivered`,
  ];
  if (agent.restUntilMs !== null) lines.push(`hours        resting until ${formatTime(agent.restUntilMs)}`);
  if (agent.phase === 'training' && agent.steps > 0) {
    const loss = agent.loss === null ? '' : `  loss ${agent.loss.toFixed(4)}`;
    const wait = agent.dataWait === null ? '' : `  waiting for patches ${formatShare(agent.dataWait)}`;
    lines.push(`training     ${formatBar(agent.step / agent.steps)}  ${agent.step}/${agent.steps}${loss}${wait}`);
  }
  if (agent.lastError !== null) lines.push(`last error   ${agent.lastError.code}: ${agent.lastError.message}`);
  return lines;
}

/** Local time with the day of the week, as in the site's hours. */
function formatTime(timeMs: number): string {
  const time = new Date(timeMs);
  const minutes = String(time.getMinutes()).padStart(2, '0');
  return `${time.toDateString().slice(0, 3)} ${String(time.getHours()).padStart(2, '0')}:${minutes}`;
}

function describeConnection({ connection, connectionReason }: AgentStatus): string {
  return connectionReason === null ? connection : `${connection}: ${connectionReason}`;
}
