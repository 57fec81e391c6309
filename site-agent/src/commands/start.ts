import { Command } from 'commander';
import { FederationError, systemClock } from '@consilium/shared/kernel';
import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Agent } from '../agent/agent.js';
import { AgentJournal } from '../agent/agent-journal.js';
import { lockHome } from '../agent/agent-lock.js';
import { initialStatus, StatusBoard } from '../agent/agent-status.js';
import { openStatusPage } from '../agent/status-page.js';
import { filesOf } from '../agent/site-files.js';
import { sweepFolders } from '../agent/sweep-folders.js';
import { openAudit } from '../audit/audit-file.js';
import { noteIdentity } from '../audit/note-identity.js';
import type { SiteAudit } from '../audit/site-audit.js';
import { readKeyFile } from '@consilium/shared/identity';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { AGENT_VERSION } from '../config/agent-version.js';
import { requireIdentity, type SiteIdentity } from '../config/site-identity.js';
import { openGate } from '../egress/open-gate.js';
import { PolicyDesk } from '../policy/policy-desk.js';
import { PolicyFile, type PolicyState } from '../policy/policy-file.js';
import { describePolicy, notePolicy, policyView } from '../policy/policy-view.js';
import { outgoingLine } from '../link/outgoing-line.js';
import type { CoordinatorAccess } from '../link/request-identity.js';
import { siteAccess } from '../link/site-access.js';
import { createLog, type Log } from '@consilium/shared/terminal';
import { requireDevices } from '../trainer/plan-devices.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { TrainerProcess } from '../trainer/trainer-process.js';
import { CollectionIndex } from '../collection/collection-index.js';
import { watchTraining } from './watch-training.js';

interface StartOptions {
  readonly home: string;
  readonly coordinator?: string;
  readonly threads?: string;
  readonly device?: string;
  readonly memoryLimit?: string;
  readonly logLevel?: string;
  readonly syncEvery?: string;
  readonly statusPort?: string;
}

/** A stopped trainer saves its state; it gets most of the five seconds within which the agent must end. */
const TRAINER_GRACE_MS = 3500;

/** `site-agent start`: takes part in the federation until it is stopped. */
export function startCommand(): Command {
  return new Command('start')
    .description('take part: wait for rounds, train on this site’s scans, deliver updates')
    .option('--coordinator <url>', 'another address of the coordinator than the one that was joined')
    .option('--threads <count>', 'processor threads for training; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu, gpu:0, or gpu:0,1 for two cards at once; auto when left out')
    .option('--memory-limit <size>', 'memory that training may come to, such as 2GiB; what is free when left out')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--sync-every <duration>', 'how often to ask for work when nobody nudges, such as 20s')
    .option('--status-port <port>', 'loopback port of the status page; 0 picks a free one')
    .addHelpText(
      'after',
      `
Stop with Ctrl-C: nothing is lost, the same command goes on where this one stood. Without the coordinator the agent
waits and says so; training goes on meanwhile. Only model updates and numbers leave the site, never scans.

Examples:
  site-agent --home my-site start
  site-agent --home my-site start --threads 4`,
    )
    .action(async (_options: unknown, command: Command) => start(command.optsWithGlobals<StartOptions>()));
}

async function start({ home, ...flags }: StartOptions): Promise<void> {
  const { coordinator, threads, device, memoryLimit, logLevel, syncEvery, statusPort } = flags;
  const config = loadAgentConfig({ home, flags: { coordinator, threads, device, memoryLimit, logLevel, syncEvery, statusPort } });
  const identity = requireIdentity(config.folder);
  requireDevices(config.device);
  const release = lockHome(config.folder);
  try {
    await runAgent(config, identity);
  } finally {
    release();
  }
}

async function runAgent(config: AgentConfig, identity: SiteIdentity): Promise<void> {
  const { folder } = config;
  const index = CollectionIndex.open(folder.databaseFile);
  const journal = AgentJournal.open(folder.databaseFile);
  const { audit, repairedBytes, close } = openAudit(folder, systemClock);
  try {
    const volumes = requireVolumes(index, config);
    await sweepFolders(filesOf(folder), journal);
    const log = createLog({ level: config.logLevel, format: config.logFormat, facts: { site: identity.siteName } });
    const access = siteAccess(folder, identity, {
      coordinatorUrl: config.coordinatorUrl,
      line: outgoingLine(config),
      trades: true,
      onTraded: () => log.info(`this site signs with a key of its own now (${folder.keyFile}); the credential before is void`),
      onOtherCoordinatorKey: (name) =>
        log.warn(`the coordinator signs with another key than before: ${name}; ask its operator whether this is right`),
    });
    const { coordinatorUrl } = access;
    const versions = { agent: AGENT_VERSION, protocol: PROTOCOL_VERSION, node: process.versions.node };
    const { siteName } = identity;
    if (repairedBytes > 0) log.warn(`the last line of the audit log was torn (${repairedBytes} bytes) and was cut off`);
    noteIdentity(audit, { ...identity, keyThumbprint: readKeyFile(folder.keyFile)?.thumbprint });
    const board = new StatusBoard(
      initialStatus({ siteName, coordinatorUrl, startedAtMs: systemClock.nowMs(), volumes, versions }),
    );
    const page = await openStatusPage(folder, config.statusPort, () => board.current);
    try {
      log.info(`site ${siteName}: ${volumes} volume${volumes === 1 ? '' : 's'}, coordinator ${coordinatorUrl}`);
      watchTraining(board, log, config.logLevel);
      await createAgent({ config, access, journal, audit, board, log, index }).run(stopSignal(log));
      log.info('stopped; the same command goes on from here');
    } finally {
      await page.close();
    }
  } finally {
    close();
    journal.close();
    index.close();
  }
}

interface Made {
  config: AgentConfig;
  access: CoordinatorAccess;
  journal: AgentJournal;
  audit: SiteAudit;
  board: StatusBoard;
  log: Log;
  index: CollectionIndex;
}

function createAgent(made: Made): Agent {
  const { config, access, journal, audit, board, log, index } = made;
  const { folder } = config;
  const policy = openPolicy(made);
  const gate = openGate({
    ...{ journal, audit, policy, log, egressFolder: folder.egressFolder },
    link: {
      ...access,
      agentVersion: AGENT_VERSION,
      onProtocol: (protocol) => {
        board.update({ versions: { ...board.current.versions, protocol } });
        if (protocol < PROTOCOL_VERSION) log.info(`the coordinator is older and speaks protocol ${protocol}: so does this agent`);
      },
    },
    transfer: { uploadBytesPerSecond: () => policy.uploadBytesPerSecond(config.uploadBytesPerSecond) },
  });
  const trainer = new TrainerProcess({
    onAnnouncement: onceEach((text) => log.info(text)),
    onWarning: (text) => log.warn(text),
    stopGraceMs: TRAINER_GRACE_MS,
  });
  const site = { clock: systemClock, files: filesOf(folder), limits: trainerLimits(config), journal, audit, policy };
  return new Agent(
    { ...gate, trainer, ...site, board, log },
    {
      syncEveryMs: config.syncEveryMs,
      trainerRestarts: config.trainerRestarts,
      hours: config.hours,
      privacy: config.privacy,
      countVolumes: (folders) => index.countUsable(folders),
    },
  );
}

/** The site's policy, which is told in the log, on the status page and in the audit log whenever it changes. */
function openPolicy({
  config,
  audit,
  board,
  log,
  index,
}: Pick<Made, 'config' | 'audit' | 'board' | 'log' | 'index'>): PolicyDesk {
  const tell = (state: PolicyState): void => {
    const view = policyView(state);
    notePolicy(audit, view);
    board.update({ policy: view });
    const line = `policy ${describePolicy(view)}`;
    if (state.kind === 'broken') log.error(`${line}. ${state.error.remedy ?? ''}`);
    else log.info(line);
    if (!desk.everTrains(config.hours, systemClock.nowMs()))
      log.warn('the hours of the policy and those of site.yaml never meet: this site never trains');
  };
  const desk = new PolicyDesk({
    source: new PolicyFile(config.policyFile, config.policyIsNamed),
    facts: () => ({
      device: config.device,
      protocol: board.current.versions.protocol,
      volumesIn: (folders) => index.countUsable(folders),
    }),
    onChange: tell,
  });
  desk.state();
  return desk;
}

function requireVolumes(index: CollectionIndex, { folder }: AgentConfig): number {
  const usable = index.countUsable();
  if (usable > 0) return usable;
  throw new FederationError('COLLECTION_EMPTY', 'this site has no usable volume yet', {
    remedy: `Name the folder with your scans: site-agent --home ${folder.home} index FOLDER`,
  });
}

/** Each choice is told once: most are the same in every round. */
function onceEach(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) tell(text);
    told.add(text);
  };
}

/** Aborted by the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(log: Log): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    log.info('stopping');
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return stop.signal;
}
