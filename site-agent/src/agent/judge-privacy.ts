import { epsilonOfSpends, type Neighbours, neighboursOf, type PrivacySpend } from '@consilium/shared/safeguards';
import { keepsFigures, type RoundPlan } from '@consilium/shared/wire';
import type { PrivacyRecord } from './privacy-ledger.js';

/** What a site asks of plans, from its settings. */
export interface PrivacyLimits {
  /** The form that a plan must have; any plan will do when left out. */
  readonly required?: 'local' | 'central' | 'any' | undefined;
  /** The most that one campaign may come to. */
  readonly epsilon?: number | undefined;
  /** The most that all campaigns together may come to. */
  readonly totalEpsilon?: number | undefined;
  /** The δ of both. */
  readonly delta: number;
}

export type PrivacyRefusal = 'PRIVACY_REQUIRED' | 'PRIVACY_BUDGET_SPENT';
type JudgedPlan = Pick<RoundPlan, 'campaignId' | 'privacy' | 'localRule' | 'objective'>;

/** True where the site asks for anything. A budget is a demand, too: what leaves without noise is within no ε. */
export function demandsPrivacy({ required, epsilon, totalEpsilon }: PrivacyLimits): boolean {
  return required !== undefined || epsilon !== undefined || totalEpsilon !== undefined;
}

/**
 * Why this site may not deliver one more update for this plan; undefined when it may. `records` is all that was spent before. A plan
 * that promises privacy must keep it, whatever the site asks for.
 */
export function privacyRefusal(
  plan: JudgedPlan,
  records: readonly PrivacyRecord[],
  limits: PrivacyLimits,
): PrivacyRefusal | undefined {
  const { privacy } = plan;
  if (privacy === undefined) return demandsPrivacy(limits) ? 'PRIVACY_REQUIRED' : undefined;
  if (sendsMore(plan)) return 'PRIVACY_REQUIRED';
  const { required, epsilon, totalEpsilon, delta } = limits;
  if (required !== undefined && required !== 'any' && required !== privacy.form) return 'PRIVACY_REQUIRED';
  if (demandsPrivacy(limits) && !keepsFigures(plan)) return 'PRIVACY_REQUIRED';
  const own = records.filter(({ campaignId }) => campaignId === plan.campaignId);
  const campaign = epsilonOfCampaign([...own, privacy], delta);
  if (epsilon !== undefined && campaign > epsilon) return 'PRIVACY_BUDGET_SPENT';
  const total = epsilonOfAll([...records, privacy], delta);
  return totalEpsilon !== undefined && total > totalEpsilon ? 'PRIVACY_BUDGET_SPENT' : undefined;
}

/** ε of one campaign's releases, told apart as its form does; should a campaign mix forms, as the stricter of the two. */
export function epsilonOfCampaign(spends: readonly PrivacySpend[], delta: number): number {
  return epsilonOfSpends(spends, delta, neighboursOfCampaign(spends));
}

export function neighboursOfCampaign(spends: readonly PrivacySpend[]): Neighbours {
  return neighboursOf(spends.some(({ form }) => form === 'local') ? 'local' : 'central');
}

/** ε of releases of all campaigns. Sums of different neighbours mean nothing: both forms count by the stricter ones here. */
export function epsilonOfAll(spends: readonly PrivacySpend[], delta: number): number {
  return epsilonOfSpends(spends, delta, 'replaced');
}

/** Control variates, gradients of an adversary, and the choice of what is left out would leave without clip and noise. */
function sendsMore({ localRule, objective }: JudgedPlan): boolean {
  const hasAdversary = objective.kind === 'universal-model' && objective.adversary.mode !== 'none';
  return localRule?.kind === 'control-variates' || hasAdversary;
}
