import { systemClock } from '@consilium/shared/kernel';
import type { Log } from '@consilium/shared/terminal';
import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Agent } from '@consilium/site-agent/dist/agent/agent.js';
import { AgentJournal } from '@consilium/site-agent/dist/agent/agent-journal.js';
import { lockHome } from '@consilium/site-agent/dist/agent/agent-lock.js';
import { initialStatus, StatusBoard } from '@consilium/site-agent/dist/agent/agent-status.js';
import { openStatusPage } from '@consilium/site-agent/dist/agent/status-page.js';
import { filesOf } from '@consilium/site-agent/dist/agent/site-files.js';
import { sweepFolders } from '@consilium/site-agent/dist/agent/sweep-folders.js';
import type { WeightTransfer } from '@consilium/site-agent/dist/agent/weight-transfer.js';
import { openAudit } from '@consilium/site-agent/dist/audit/audit-file.js';
import type { SiteAudit } from '@consilium/site-agent/dist/audit/site-audit.js';
import { AGENT_VERSION } from '@consilium/site-agent/dist/config/agent-version.js';
import { siteFolder } from '@consilium/site-agent/dist/config/site-folder.js';
import { requireIdentity } from '@consilium/site-agent/dist/config/site-identity.js';
import { openGate } from '@consilium/site-agent/dist/egress/open-gate.js';
import { PolicyDesk } from '@consilium/site-agent/dist/policy/policy-desk.js';
import { PolicyFile } from '@consilium/site-agent/dist/policy/policy-file.js';
import { siteAccess } from '@consilium/site-agent/dist/link/site-access.js';
import { LIGHT_VOLUMES, LightTrainer, type LightTraining } from './light-trainer.js';

export interface LightSiteOptions {
  /** A folder that `join` has given an identity. */
  readonly home: string;
  readonly training: LightTraining;
  readonly log: Log;
  /** Opens the loopback status page too, as `site-agent start` does. */
  readonly hasStatusPage: boolean;
  /** How often to ask for work when nobody nudges; as the agent's own default when left out. */
  readonly syncEveryMs?: number;
  /** Looks on at the data plane. */
  readonly watchTransfer?: (transfer: WeightTransfer) => WeightTransfer;
  readonly onBoard?: (board: StatusBoard) => void;
}

/** The agent's own default of `syncEvery`. */
const SYNC_EVERY_MS = 20_000;
const TRAINER_RESTARTS = 3;

/**
 * One site: the real agent with its real journal, links and transfers, put together as `site-agent start` does, with a
 * {@link LightTrainer} in place of the trainer process. Works until the signal is aborted; rejects as the agent does.
 */
export async function runLightSite(options: LightSiteOptions, signal: AbortSignal): Promise<void> {
  const folder = siteFolder(options.home);
  const release = lockHome(folder);
  try {
    const journal = AgentJournal.open(folder.databaseFile);
    const { audit, close } = openAudit(folder, systemClock);
    try {
      await sweepFolders(filesOf(folder), journal);
      await runAgent(options, journal, audit, signal);
    } finally {
      close();
      journal.close();
    }
  } finally {
    release();
  }
}

async function runAgent(options: LightSiteOptions, journal: AgentJournal, audit: SiteAudit, signal: AbortSignal): Promise<void> {
  const folder = siteFolder(options.home);
  const identity = requireIdentity(folder);
  const { siteName } = identity;
  const access = siteAccess(folder, identity, { trades: true });
  const { coordinatorUrl } = access;
  const versions = { agent: AGENT_VERSION, protocol: PROTOCOL_VERSION, node: process.versions.node };
  const startedAtMs = systemClock.nowMs();
  const board = new StatusBoard(initialStatus({ siteName, coordinatorUrl, startedAtMs, volumes: LIGHT_VOLUMES, versions }));
  options.onBoard?.(board);
  const page = options.hasStatusPage ? await openStatusPage(folder, 0, () => board.current) : undefined;
  const { log } = options;
  const policy = new PolicyDesk({
    source: new PolicyFile(folder.policyFile, false),
    facts: () => ({ device: 'cpu', protocol: board.current.versions.protocol }),
  });
  const gate = openGate({
    ...{ journal, audit, policy, log, egressFolder: folder.egressFolder },
    link: { ...access, agentVersion: AGENT_VERSION },
  });
  const agent = new Agent(
    {
      link: gate.link,
      transfer: options.watchTransfer?.(gate.transfer) ?? gate.transfer,
      trainer: new LightTrainer({ warn: (text) => options.log.warn(text), ...options.training }),
      clock: systemClock,
      files: filesOf(folder),
      limits: {},
      journal,
      audit,
      policy,
      board,
      log,
    },
    {
      syncEveryMs: options.syncEveryMs ?? SYNC_EVERY_MS,
      trainerRestarts: TRAINER_RESTARTS,
      countVolumes: () => LIGHT_VOLUMES,
    },
  );
  try {
    await agent.run(signal);
  } finally {
    await page?.close();
  }
}
