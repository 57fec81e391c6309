import { silentLog } from '@consilium/shared/terminal';
import type { Random } from '@consilium/shared/kernel';
import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Agent } from '../../../site-agent/src/agent/agent.js';
import { AgentJournal } from '../../../site-agent/src/agent/agent-journal.js';
import { initialStatus, StatusBoard } from '../../../site-agent/src/agent/agent-status.js';
import { sweepFolders } from '../../../site-agent/src/agent/sweep-folders.js';
import { GatedLink } from '../../../site-agent/src/egress/gated-link.js';
import { PolicyDesk } from '../../../site-agent/src/policy/policy-desk.js';
import { noPolicy } from '../../../site-agent/src/policy/policy-file.js';
import type { Life } from './life.js';
import type { SimulatedCoordinator } from './simulated-coordinator.js';
import { SimulatedLink } from './simulated-link.js';
import { SimulatedTrainer, type TrainerTemper } from './simulated-trainer.js';
import { SimulatedTransfer } from './simulated-transfer.js';
import { journalDatabase, simulatedAudit, SimulatedSiteFiles, type SiteDisk } from './site-disk.js';
import type { SiteLine } from './site-line.js';

/** Who a site is to its coordinator. */
export interface SiteIdentity {
  readonly id: string;
  readonly name: string;
  readonly credential: string;
}

export interface SiteParts {
  readonly identity: SiteIdentity;
  readonly life: Life;
  readonly disk: SiteDisk;
  readonly line: SiteLine;
  readonly random: Random;
  readonly temper: TrainerTemper;
  readonly chunks: number;
  readonly altered: number;
  readonly coordinator: () => SimulatedCoordinator | undefined;
  readonly onSteps: (participationId: string, steps: number) => void;
  readonly onAnswered: (request: string, body: object, value: unknown) => void;
}

const SYNC_EVERY_MS = 60_000;
const STATUS = { agent: '0.1.0', protocol: PROTOCOL_VERSION, node: process.versions.node };

/** Starts one run of a site's real agent; resolves when it has ended of its own, never when it has died. */
export async function runAgent(parts: SiteParts, signal: AbortSignal): Promise<void> {
  const { identity, life, disk, line, random, temper, chunks, altered, coordinator, onSteps, onAnswered } = parts;
  const { name: siteName, credential } = identity;
  const journal = AgentJournal.on(journalDatabase(disk, life));
  const files = new SimulatedSiteFiles(disk, life);
  await sweepFolders(files, journal);
  const known = { siteName, coordinatorUrl: 'simulated', startedAtMs: life.clock.nowMs(), volumes: 3, versions: STATUS };
  const audit = simulatedAudit(disk, life);
  const facts = { device: 'auto', protocol: PROTOCOL_VERSION };
  const policy = new PolicyDesk({ source: noPolicy, facts: () => facts });
  const link = new SimulatedLink({
    life,
    line,
    random: random.fork('link'),
    credential,
    door: () => coordinator()?.door,
    onAnswered,
  });
  const agent = new Agent(
    {
      // Simulated updates are no weight files: the gate's half for messages alone.
      link: new GatedLink(link, { journal, policy, audit, log: silentLog }, async () => undefined),
      transfer: new SimulatedTransfer({
        ...{ life, line, disk, chunks, altered, coordinator },
        ...{ random: random.fork('transfer'), site: identity },
      }),
      trainer: new SimulatedTrainer(siteName, life, random.fork('trainer'), disk, temper, onSteps),
      clock: life.clock,
      journal,
      audit,
      policy,
      files,
      limits: {},
      board: new StatusBoard(initialStatus(known)),
      log: silentLog,
    },
    {
      syncEveryMs: SYNC_EVERY_MS,
      trainerRestarts: 2,
      countVolumes: () => known.volumes,
      uniform: () => random.uniform(),
    },
  );
  await agent.run(signal);
}
