import { controlManifest, scopedManifest } from '@consilium/shared/models';
import type { Manifest } from '@consilium/shared/weights';
import type { CampaignPlan } from '@consilium/shared/wire';

/** The model's tensors, in order, with those that each site of the campaign keeps for itself marked as site-local. */
export function manifestOfCampaign({ model, siteLocal }: Pick<CampaignPlan, 'model' | 'siteLocal'>): Manifest {
  return scopedManifest(model, siteLocal);
}

/** The control variates that an update must bring besides, under the names that they have in its file; none but under SCAFFOLD. */
export function controlsOfCampaign(plan: Pick<CampaignPlan, 'model' | 'siteLocal' | 'recipe'>): Manifest {
  return plan.recipe.name === 'scaffold' ? controlManifest(plan.model, plan.siteLocal) : { tensors: [] };
}
