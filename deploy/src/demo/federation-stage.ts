import { join } from 'node:path';
import { type CampaignEvent, campaignEventSchema, type CampaignView, OPERATOR_NAMESPACE } from '@consilium/shared/wire';
import { formatDuration } from '@consilium/shared/kernel';
import { createLiveBlock } from '@consilium/shared/terminal';
import { io } from 'socket.io-client';
import type { CoordinatorAccess } from '../programs/coordinator-access.js';
import { campaignEnd, type Federation, type FederationPlan } from '../programs/federation.js';
import type { ProgramGroup } from '../programs/program-group.js';
import { COORDINATOR_PROGRAM } from '../programs/project.js';
import { StepFailed } from '../programs/step-failed.js';
import { type DemoPlan, HOSPITALS } from './demo-plan.js';
import { FederationView } from './federation-view.js';
import type { OutputFolder } from './output-folder.js';

const REDRAW_MS = 250;

/** The hospitals of the demonstration, with homes in its output folder. */
export function hospitalFederation(output: OutputFolder): FederationPlan {
  const sites = HOSPITALS.map((hospital) => ({ ...hospital, home: output.siteHome(hospital.name) }));
  return { coordinatorHome: output.coordinatorHome, logs: output.logs, sites };
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
  try {
    const start = ['campaign', 'start', output.campaignFile, '--home', output.coordinatorHome];
    await group.run('campaign start', COORDINATOR_PROGRAM, start, join(output.logs, 'operator.log'));
    const campaign = await campaignEnd(federation, plan.campaignName);
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
