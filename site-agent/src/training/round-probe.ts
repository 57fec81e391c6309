import type { Digest } from '@consilium/shared/kernel';
import { type Monitors, monitorsSchema, type RoundPlan } from '@consilium/shared/wire';
import { z } from 'zod';
import type { OrderContext } from '../trainer/order-context.js';
import { openProbe } from './batch-feed.js';
import type { Learner } from './learner.js';
import { monitorProbe } from './monitor-probe.js';
import type { PatchBatch } from './patch-batch.js';
import { readRecord, type RoundFolder, writeRecord } from './round-folder.js';
import { probeStream } from './score-order.js';
import type { SiteCollection } from './site-collection.js';

const recordSchema = z.object({ work: z.string(), monitors: monitorsSchema });

/** The site's frozen probe of a campaign, as every round opens it. */
export function openCampaignProbe(
  { patch, objective, probe, seed }: Pick<RoundPlan, 'patch' | 'objective' | 'probe' | 'seed'>,
  { volumes }: SiteCollection,
): Promise<PatchBatch[]> {
  return openProbe({ volumes, patch, objective, patches: probe.patches, streamName: probeStream(seed) });
}

export interface MonitoredRound {
  readonly plan: RoundPlan;
  readonly context: OrderContext;
  readonly folder: RoundFolder;
  readonly collection: SiteCollection;
  readonly learner: Learner;
  /** Names the work, as in the other records of the round. */
  readonly work: Digest;
}

/** The monitors of the base, which the learner holds; measured once per round, and only of a model with heads. */
export async function monitorBase(round: MonitoredRound): Promise<Monitors | undefined> {
  if (round.plan.objective.kind !== 'universal-model') return undefined;
  const known = await readRecord(round.folder.baseMonitorsFile, recordSchema);
  if (known?.work === round.work) return known.monitors;
  const monitors = await monitor(round);
  await writeRecord(round.folder.baseMonitorsFile, { work: round.work, monitors });
  return monitors;
}

/** The monitors of what is delivered, which the learner holds, beside those of the base. */
export async function monitorTrained(
  round: Omit<MonitoredRound, 'work' | 'folder'>,
  base: Monitors | undefined,
): Promise<{ readonly base: Monitors; readonly trained: Monitors } | undefined> {
  return base && { base, trained: await monitor(round) };
}

async function monitor({ plan, context, collection, learner }: Omit<MonitoredRound, 'work' | 'folder'>): Promise<Monitors> {
  return monitorProbe(learner, await openCampaignProbe(plan, collection), context.stop);
}
