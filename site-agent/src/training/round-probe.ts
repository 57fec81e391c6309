import type { Digest } from '@consilium/shared/kernel';
import { type Monitors, monitorsSchema, probeScoreSchema, type RoundPlan } from '@consilium/shared/wire';
import { z } from 'zod';
import type { OrderContext } from '../trainer/order-context.js';
import { openProbe } from './batch-feed.js';
import type { Learner } from './learner.js';
import { lookAtProbe, monitorProbe, type ProbeLook } from './monitor-probe.js';
import type { ProbeBatch } from './patch-batch.js';
import { readRecord, type RoundFolder, writeRecord } from './round-folder.js';
import type { SiteCollection } from './site-collection.js';

const recordSchema = z.object({ work: z.string(), score: probeScoreSchema, monitors: monitorsSchema.optional() });

/** The site's frozen probe of a campaign, as every round and every score opens it. */
export function openCampaignProbe(
  { patch, objective, probe, seed }: Pick<RoundPlan, 'patch' | 'objective' | 'probe' | 'seed'>,
  { volumes }: Pick<SiteCollection, 'volumes'>,
): Promise<ProbeBatch[]> {
  // The campaign's seed names the probe, the round does not: it stays frozen.
  return openProbe({ volumes, patch, objective, patches: probe.patches, streamName: `${seed}/probe` });
}

export interface ProbedRound {
  readonly plan: RoundPlan;
  readonly context: OrderContext;
  readonly folder: RoundFolder;
  readonly collection: SiteCollection;
  readonly learner: Learner;
  /** Names the work, as in the other records of the round. */
  readonly work: Digest;
}

/** The base, which the learner holds, on the frozen probe: measured once per round. Monitors only of a model with heads. */
export async function lookAtBase({ plan, context, folder, collection, learner, work }: ProbedRound): Promise<ProbeLook> {
  const { objective } = plan;
  const known = await readRecord(folder.baseScoreFile, recordSchema);
  const isWhole = known?.monitors !== undefined || objective.kind !== 'universal-model';
  if (known?.work === work && isWhole) return known;
  const probe = await openCampaignProbe(plan, collection);
  const look = await lookAtProbe(learner, objective, probe, context.stop, (done) =>
    context.report('scoring', done, probe.length),
  );
  await writeRecord(folder.baseScoreFile, { work, ...look });
  return look;
}

/** The monitors of what is delivered, which the learner holds, beside those of the base. */
export async function monitorTrained(
  { plan, context, collection, learner }: Omit<ProbedRound, 'work' | 'folder'>,
  base: Monitors | undefined,
): Promise<{ readonly base: Monitors; readonly trained: Monitors } | undefined> {
  if (base === undefined) return undefined;
  const { monitors } = await monitorProbe(learner, await openCampaignProbe(plan, collection), context.stop);
  return { base, trained: monitors };
}
