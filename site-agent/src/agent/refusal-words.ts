import { roundPlaceView, describeRound, type RoundPlan, type ScorePlan } from '@consilium/shared/wire';
import type { Verdict } from '../policy/policy-desk.js';

/** Why the site's policy does not allow a plan, one line a rule, for the site's own log; none where it allows it. */
export function linesOfRefusal(plan: RoundPlan | ScorePlan, verdict: Verdict): string[] {
  const what =
    'roundNumber' in plan
      ? `${plan.campaignName}, ${describeRound(plan.roundNumber, roundPlaceView(plan, plan.roundNumber))}`
      : `${plan.campaignName}, scoring version ${plan.version.number}`;
  if (verdict.kind === 'allowed') return [];
  if (verdict.kind === 'unreadable') return [`${what}: not allowed while this site’s policy cannot be read: ${verdict.why}`];
  return verdict.findings
    .filter(({ allowed }) => !allowed)
    .map(({ rule, why }) => `${what}: not allowed by this site’s policy, rule ${rule}: ${why}`);
}
