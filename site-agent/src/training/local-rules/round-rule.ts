import { federatedPart, type WeightSet } from '@consilium/shared/weights';
import { scopedManifest } from '@consilium/shared/models';
import { partOfRound, type RoundPlan } from '@consilium/shared/wire';
import { correctionRule } from './control-variates.js';
import type { GradientRule } from './gradient-rule.js';
import { proximalRule } from './proximal.js';

export interface RuleInput {
  readonly plan: RoundPlan;
  readonly base: WeightSet;
  /** The mean of all sites' control variates, and the site's own. */
  readonly mean: WeightSet | undefined;
  readonly own: WeightSet | undefined;
}

/** What the plan's local rule adds to the gradients; undefined where it adds nothing. */
export function roundRule({ plan, base, mean, own }: RuleInput): GradientRule | undefined {
  const { localRule } = plan;
  if (localRule === undefined) return undefined;
  if (localRule.kind === 'control-variates') return correctionRule({ mean, own });
  const manifest = scopedManifest(plan.model, plan.siteLocal, partOfRound(plan.objective, plan.roundNumber));
  const federated = new Set(federatedPart(manifest).tensors.map(({ name }) => name));
  return proximalRule(
    localRule.mu,
    base.filter(({ name }) => federated.has(name)),
  );
}
