import type { UpdateFacts } from '../recipe.js';

/** Patches that the site trained, but no more than the plan's cap, which keeps one giant site from drowning the rest. */
export function cappedPatches({ patches }: UpdateFacts, plan: { maximumPatchesPerSite?: number | undefined }): number {
  return Math.min(patches, plan.maximumPatchesPerSite ?? Number.POSITIVE_INFINITY);
}
