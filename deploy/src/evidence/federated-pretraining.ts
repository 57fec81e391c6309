import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CampaignView } from '@consilium/shared/wire';
import { stringify } from 'yaml';
import { campaignEnd, coordinatorLog, startFederation } from '../programs/federation.js';
import type { ProgramGroup } from '../programs/program-group.js';
import { COORDINATOR_PROGRAM } from '../programs/project.js';
import { StepFailed } from '../programs/step-failed.js';
import type { Holding } from './protocol.js';
import type { ShelfData } from './shelf-data.js';

export interface FederatedPretraining {
  readonly sites: Readonly<Record<string, readonly Holding[]>>;
  /** The campaign file. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Homes, scans and logs; what a stopped run left there is removed. */
  readonly folder: string;
  readonly modelFile: string;
  /** Of each site's agent. */
  readonly threads: number;
}

/** The log that tells how far the campaign has come. */
export function federationLog(folder: string): string {
  return coordinatorLog(logsOf(folder));
}

/** Runs a campaign over real processes to its end and leaves its last version as a model file. */
export async function pretrainFederated(
  group: ProgramGroup,
  data: ShelfData,
  { sites, settings, folder, modelFile, threads }: FederatedPretraining,
): Promise<CampaignView> {
  const [logs, coordinatorHome] = [logsOf(folder), join(folder, 'coordinator')];
  // A federation that was stopped is begun anew: its agents' tokens are spent, and the protocol's campaigns are short.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  const plan = Object.entries(sites).map(([name, holdings]) => {
    const scans = join(folder, 'scans', name);
    const volumes = data.gather(holdings, scans);
    return { name, scans, home: join(folder, name), summary: `${volumes} volumes` };
  });
  const agentOptions = ['--threads', String(threads)];
  const federation = await startFederation(group, { coordinatorHome, logs, sites: plan, agentOptions }, () => undefined);
  try {
    const campaignFile = join(folder, 'campaign.yaml');
    writeFileSync(campaignFile, stringify({ ...settings, sites: Object.keys(sites) }));
    const operator = (label: string, ...args: string[]): Promise<string> =>
      group.run(label, COORDINATOR_PROGRAM, [...args, '--home', coordinatorHome], join(logs, 'operator.log'));
    await operator('campaign start', 'campaign', 'start', campaignFile);
    const campaign = await campaignEnd(federation, String(settings['name']));
    if (campaign.state !== 'finished') {
      throw new StepFailed(`the campaign ended as ${campaign.state} (${campaign.code ?? 'no code'}).\n  Logs: ${logs}`, 70);
    }
    if (existsSync(modelFile)) rmSync(modelFile);
    await operator('model pull', 'model', 'pull', campaign.name, '--output', modelFile);
    return campaign;
  } finally {
    for (const agent of federation.agents.values()) await agent.stop();
    await federation.coordinator.stop();
  }
}

function logsOf(folder: string): string {
  return join(folder, 'logs');
}
