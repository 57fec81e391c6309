import { Random } from '@consilium/shared/kernel';

export interface CohortCandidate {
  readonly name: string;
  /** Not revoked, and not still at work for an earlier round. */
  readonly isAvailable: boolean;
  /** Until when the site has said that it does not train; null when it trains at any time. */
  readonly restUntilMs: number | null;
}

export interface CohortRule {
  readonly seed: number;
  readonly roundNumber: number;
  readonly deadlineAtMs: number;
  readonly requiredSites: readonly string[];
  /** Sites to draw, the required ones included; all when left out. */
  readonly sites?: number | undefined;
}

/**
 * The sites of one round, in name order. A site that rests past the deadline is left out unless it is required; of the others, the
 * same seed and round number draw the same sites wherever the rule is computed, so that anybody can check the draw afterwards.
 */
export function selectCohort<Site extends CohortCandidate>(candidates: readonly Site[], rule: CohortRule): Site[] {
  const isRequired = ({ name }: Site): boolean => rule.requiredSites.includes(name);
  const available = candidates
    .filter((site) => site.isAvailable && (isRequired(site) || (site.restUntilMs ?? 0) < rule.deadlineAtMs))
    .sort(byName);
  if (rule.sites === undefined || available.length <= rule.sites) return available;
  const required = available.filter(isRequired);
  const others = available.filter((site) => !isRequired(site));
  const drawn = new Random(`cohort/${rule.seed}/${rule.roundNumber}`)
    .shuffle(others)
    .slice(0, Math.max(0, rule.sites - required.length));
  return [...required, ...drawn].sort(byName);
}

function byName(a: CohortCandidate, b: CohortCandidate): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
