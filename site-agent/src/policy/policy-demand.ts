import {
  type CampaignPlan,
  frozenAdversary,
  partOfRound,
  patchesPerStep,
  type RoundPlan,
  type ScorePlan,
  stepsOfRound,
} from '@consilium/shared/wire';
import { smaller } from './narrow-limits.js';
import { updateBytes } from '../egress/update-contents.js';

/** What a plan asks of a site, whatever kind of plan it is: what the policy is held against. */
export interface Demand {
  readonly campaignName: string;
  readonly objective: RoundPlan['objective']['kind'];
  readonly asksFor: 'training' | 'a score';
  /** Sites invited to a round; undefined where the plan does not tell. */
  readonly cohortSites?: number | undefined;
  /** Optimizer steps of a round. */
  readonly steps?: number;
  /** The limit that a round sets; undefined where it sets none. */
  readonly minutes?: number | undefined;
  /** Size of the update's file. */
  readonly updateBytes?: number;
}

export function demandOfRound(plan: RoundPlan): Demand {
  const { campaignName, objective, cohortSites, training } = plan;
  const isGradient = partOfRound(objective, plan.roundNumber) === 'adversary';
  // A gradient is one step over many patches: what it costs is counted in steps of this campaign's size.
  const steps = isGradient ? Math.ceil(stepsOfRound(plan) / patchesPerStep(training)) : training.steps;
  const kind = { objective: objective.kind, asksFor: 'training' } as const;
  return { campaignName, ...kind, cohortSites, steps, minutes: training.minutes, updateBytes: updateBytes(plan) };
}

export function demandOfScore({ campaignName, objective }: ScorePlan): Demand {
  return { campaignName, objective: objective.kind, asksFor: 'a score' };
}

/** The most that any round of the campaign asks for. */
export function demandOfCampaign(plan: CampaignPlan): Demand {
  const { name, objective, training, cohort, sites, recipe, updates } = plan;
  const frozen = frozenAdversary(objective);
  const gradientSteps = frozen === undefined ? 0 : Math.ceil(frozen.patches / patchesPerStep(training));
  const firstRounds = Array.from({ length: Math.min(plan.rounds, frozen === undefined ? 1 : 2) }, (_, index) => index + 1);
  const sizes = firstRounds.map((roundNumber) =>
    updateBytes({
      ...plan,
      roundNumber,
      updates: partOfRound(objective, roundNumber) === 'adversary' ? undefined : updates,
      localRule: recipe.name === 'scaffold' ? { kind: 'control-variates', control: null } : undefined,
    }),
  );
  return {
    campaignName: name,
    objective: objective.kind,
    asksFor: 'training',
    cohortSites: smaller(cohort?.sites, sites?.length),
    steps: Math.max(training.steps, gradientSteps),
    minutes: training.minutes,
    updateBytes: Math.max(...sizes),
  };
}
