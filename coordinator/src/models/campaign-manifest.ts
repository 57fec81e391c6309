import { manifestOf, nameMatcher } from '@consilium/shared/models';
import type { Manifest } from '@consilium/shared/weights';
import type { CampaignPlan } from '@consilium/shared/wire';

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
