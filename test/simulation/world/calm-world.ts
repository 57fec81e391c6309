import { type CampaignPlan, campaignPlanSchema } from '@consilium/shared/wire';
import type { SitePlan, WorldPlan } from './world-plan.js';

/** A campaign of the smallest network with every default filled in; SHA-256, and 12 steps a round. */
export function simulatedCampaign(written: Record<string, unknown>): CampaignPlan {
  const model = { architecture: 'genesis-unet3d', width: 1, norm: 'instance' };
  return campaignPlanSchema.parse({ model, training: { steps: 12 }, digest: 'sha256', seed: 7, ...written });
}

/** A site where nothing goes wrong: a step takes a second. */
export function calmSite(name: string, changes: Partial<SitePlan> = {}): SitePlan {
  return {
    name,
    temper: { stepMs: 1_000, dies: 0, diverges: 0, spoils: 0 },
    quality: { latencyMs: [5, 50], lost: 0, doubled: 0 },
    cuts: [],
    skewMs: 0,
    startsAtMs: 0,
    chunks: 2,
    altered: 0,
    ...changes,
  };
}

/** A world in which nothing goes wrong but what is asked for. */
export function calmWorld(changes: Partial<WorldPlan> & { readonly sites: readonly SitePlan[] }): WorldPlan {
  return {
    ...{ seed: 'calm', acts: [], resumes: 0, deathsAtWrites: 0, plannedDeaths: [] },
    ...{ coordinatorSkewMs: 0, deadForMs: [1_000, 5_000] },
    ...changes,
  };
}
