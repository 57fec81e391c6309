import { modelSpecSchema } from '@consilium/shared/models';
import { type CampaignPlan, campaignPlanSchema, objectiveSchema, recipeSchema } from '@consilium/shared/wire';
import type { SitePlan, WorldPlan } from './world-plan.js';

/** Of a campaign of the smallest network; SHA-256, and 12 steps a round. */
export const DEFAULTS = campaignPlanSchema.parse({
  model: { architecture: 'genesis-unet3d', width: 1, norm: 'instance' },
  ...{ name: 'defaults', training: { steps: 12 }, digest: 'sha256', seed: 7, rounds: 1 },
});

/** What makes a campaign one with a frozen adversary, of the smallest model that has one. */
export function withFrozenAdversary(subRounds: number, patches = 4): Pick<CampaignPlan, 'model' | 'objective'> {
  const smallest = { width: 1, norm: 'instance', scales: 0, adversaryChannels: 1 };
  const adversary = { mode: 'frozen', subRounds, patches, warmUpShare: 0.5 };
  return {
    model: modelSpecSchema.parse({ architecture: 'universal-model', ...smallest }),
    objective: objectiveSchema.parse({ kind: 'universal-model', adversary }),
  };
}

/** {@link DEFAULTS} with some changes. */
export function simulatedCampaign(
  changes: Pick<CampaignPlan, 'name' | 'rounds'> & Partial<Omit<CampaignPlan, 'recipe'>> & { readonly recipe?: object },
): CampaignPlan {
  const { recipe = DEFAULTS.recipe, ...others } = changes;
  // The defaults were checked, and a check of a whole plan takes as long as ten rounds of a world.
  return { ...DEFAULTS, ...others, recipe: recipeSchema.parse(recipe) };
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
