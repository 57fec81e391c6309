import { controlManifest, isOfPart, scopedManifest } from '@consilium/shared/models';
import { federatedPart, type Manifest } from '@consilium/shared/weights';
import { type CampaignPlan, isTrainedAtSites, partOfRound } from '@consilium/shared/wire';

type ScopingPlan = Pick<CampaignPlan, 'model' | 'siteLocal' | 'objective'>;

/** The model's tensors, in order: what the sites send in this round, what each keeps for itself, what the round leaves as it is. */
export function manifestOfRound({ model, siteLocal, objective }: ScopingPlan, roundNumber: number): Manifest {
  return scopedManifest(model, siteLocal, partOfRound(objective, roundNumber));
}

/**
 * The tensors that an update may lack, all of them or none: where sites train the modality adversary themselves, one that has a
 * single modality cannot, and leaves it out.
 */
export function tensorsToLack(plan: ScopingPlan): string[] {
  if (!isTrainedAtSites(plan.objective)) return [];
  const { tensors } = federatedPart(scopedManifest(plan.model, plan.siteLocal));
  return tensors.map(({ name }) => name).filter((name) => isOfPart(name, 'adversary'));
}

/** The control variates that an update must bring besides, under the names that they have in its file; none but under SCAFFOLD. */
export function controlsOfCampaign(plan: Pick<CampaignPlan, 'model' | 'siteLocal' | 'recipe'>): Manifest {
  return plan.recipe.name === 'scaffold' ? controlManifest(plan.model, plan.siteLocal) : { tensors: [] };
}
