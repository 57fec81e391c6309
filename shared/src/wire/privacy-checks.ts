/** What a campaign that promises privacy must fulfil beyond the form of its fields: the sensitivities of docs/methods/update-privacy. */
import type { PlanIssue } from './adversary-checks.js';
import type { ObjectivePlan } from './objective-plan.js';
import type { PrivacyPlan } from './privacy-plan.js';
import type { RecipePlan } from './recipe-plan.js';
import type { UpdatePlan } from './update-plan.js';

interface CampaignWithPrivacy {
  readonly privacy?: PrivacyPlan | undefined;
  readonly recipe: RecipePlan;
  readonly objective: ObjectivePlan;
  readonly updates?: UpdatePlan | undefined;
}

/** Recipes whose version does not depend on each update by its share of a sum alone. */
const NO_SUMS: ReadonlySet<RecipePlan['name']> = new Set(['median', 'trimmed-mean', 'krum', 'multi-krum']);

/** What of the plan would break what its `privacy` promises; empty when nothing does, or when it promises nothing. */
export function privacyIssues({ privacy, recipe, objective, updates }: CampaignWithPrivacy): PlanIssue[] {
  if (privacy === undefined) return [];
  const issues: PlanIssue[] = [];
  const refuse = (path: readonly string[], message: string): void => void issues.push({ path, message });
  if (recipe.name === 'scaffold') {
    refuse(['recipe', 'name'], 'scaffold sends control variates beside the updates, which no clip and no noise covers');
  }
  if (objective.kind === 'universal-model' && objective.adversary.mode !== 'none') {
    const why =
      objective.adversary.mode === 'frozen'
        ? 'the gradients of adversary rounds are neither clipped nor noised'
        : 'whether a site leaves the adversary out of its update tells which modalities it holds';
    refuse(['objective', 'adversary', 'mode'], `${why}; with "privacy" use "none"`);
  }
  if (privacy.form === 'local') return issues;
  if (NO_SUMS.has(recipe.name)) {
    const message = `one site can move the result of ${recipe.name} by more than its share, so noise on the sum does not cover it; average, or use the local form`;
    refuse(['recipe', 'name'], message);
  }
  if (recipe.name === 'fedbuff') {
    refuse(['recipe', 'name'], 'in a buffered round one site may count twice, and by its staleness; use the local form');
  }
  if ('maximumPatchesPerSite' in recipe && recipe.maximumPatchesPerSite !== undefined) {
    refuse(['recipe', 'maximumPatchesPerSite'], 'under the central form each site counts the same, whatever number of patches');
  }
  if (updates !== undefined && updates.format !== 'f32') {
    const message = `rounding to ${updates.format} could carry a clipped update over the norm, and error feedback would carry into the next round what was clipped; use "f32", or the local form`;
    refuse(['updates', 'format'], message);
  }
  return issues;
}
