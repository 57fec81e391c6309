import { manifestOf, nameMatcher, statisticNames } from '@consilium/shared/models';
import { federatedPart, type Manifest } from '@consilium/shared/weights';
import type { CampaignPlan } from '@consilium/shared/wire';

/** Begins the name of a control variate's part of an update (SCAFFOLD); the parameter's own name follows. */
const CONTROL_PREFIX = 'control/';

/** The model's tensors, in order, with those that each site of the campaign keeps for itself marked as site-local. */
export function manifestOfCampaign({ model, siteLocal }: Pick<CampaignPlan, 'model' | 'siteLocal'>): Manifest {
  const manifest = manifestOf(model);
  const matchers = (siteLocal ?? []).map(nameMatcher);
  if (matchers.length === 0) return manifest;
  return {
    tensors: manifest.tensors.map((tensor) =>
      matchers.some((matches) => matches(tensor.name)) ? { ...tensor, scope: 'site-local' as const } : tensor,
    ),
  };
}

/** The control variates that an update must bring besides: one for each federated parameter that gradients reach, or none. */
export function controlsOfCampaign(plan: Pick<CampaignPlan, 'model' | 'siteLocal' | 'recipe'>): Manifest {
  if (plan.recipe.name !== 'scaffold') return { tensors: [] };
  const statistics = statisticNames(plan.model);
  return {
    tensors: federatedPart(manifestOfCampaign(plan))
      .tensors.filter(({ name }) => !statistics.has(name))
      .map((tensor) => ({ ...tensor, name: CONTROL_PREFIX + tensor.name })),
  };
}
