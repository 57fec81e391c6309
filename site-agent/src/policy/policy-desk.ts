import type { RoundPlan, ScorePlan } from '@consilium/shared/wire';
import { type Hours, hoursEverCome, hoursInBoth, parseSiteHours } from '../config/site-hours.js';
import type { TrainerLimits } from '../trainer/trainer-messages.js';
import { type Finding, judgePlan, type SiteFacts } from './judge-plan.js';
import { narrowLimits, smaller } from './narrow-limits.js';
import { type Demand, demandOfRound, demandOfScore } from './policy-demand.js';
import type { PolicySource, PolicyState } from './policy-file.js';
import { bytesOf, foldersFor, type SitePolicy } from './site-policy.js';

/** What the policy says of a plan. */
export type Verdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly findings: readonly Finding[] }
  /** The policy does not read: nothing begins and nothing leaves until it does; what was begun is kept. */
  | { readonly kind: 'unreadable'; readonly why: string };

const ALLOWED: Verdict = { kind: 'allowed' };
const NO_RULES: SitePolicy = {};

export interface PolicyDeskParts {
  readonly source: PolicySource;
  readonly facts: () => SiteFacts;
  /** Told of the state when it is first read, and of each change. */
  readonly onChange?: (state: PolicyState) => void;
}

/**
 * The site's policy, asked again before each act: a file that has changed meanwhile counts from then on. Outranks every plan and
 * narrows the site's own settings.
 */
export class PolicyDesk {
  private known: PolicyState | undefined;
  private readonly demands = new WeakMap<object, Demand>();
  private compiled: { readonly of: PolicyState; readonly hours: Hours | undefined } | undefined;

  constructor(private readonly parts: PolicyDeskParts) {}

  /** The policy as it is now. */
  state(): PolicyState {
    const state = this.parts.source.read();
    if (state === this.known) return state;
    this.known = state;
    this.parts.onChange?.(state);
    return state;
  }

  judge(plan: RoundPlan | ScorePlan): Verdict {
    const state = this.state();
    if (state.kind === 'none') return ALLOWED;
    if (state.kind === 'broken') return { kind: 'unreadable', why: state.error.message };
    const findings = judgePlan(state.policy, this.demandOf(plan), this.parts.facts());
    return findings.every(({ allowed }) => allowed) ? ALLOWED : { kind: 'refused', findings };
  }

  /** The agent asks of the same plan again and again. */
  private demandOf(plan: RoundPlan | ScorePlan): Demand {
    const known = this.demands.get(plan) ?? ('training' in plan ? demandOfRound(plan) : demandOfScore(plan));
    this.demands.set(plan, known);
    return known;
  }

  /** The rules in force; none where there is no policy, and none that could be read where it is broken. */
  get rules(): SitePolicy {
    const state = this.state();
    return state.kind === 'in-force' ? state.policy : NO_RULES;
  }

  /** What a trainer may use for a campaign. */
  limitsFor(campaignName: string, limits: TrainerLimits): TrainerLimits {
    const { rules } = this;
    const folders = foldersFor(rules, campaignName);
    return { ...narrowLimits(limits, rules), ...(folders === undefined ? {} : { folders }) };
  }

  /** The folders that a campaign may train on; undefined for all. */
  foldersFor(campaignName: string): readonly string[] | undefined {
    return foldersFor(this.rules, campaignName);
  }

  /** The site's hours as the policy narrows them. */
  hours(own: Hours | undefined): Hours | undefined {
    const state = this.state();
    if (this.compiled?.of !== state) {
      const text = state.kind === 'in-force' ? state.policy.hours : undefined;
      this.compiled = { of: state, hours: text === undefined ? undefined : parseSiteHours(text) };
    }
    return hoursInBoth(own, this.compiled.hours);
  }

  /** False when the site's own hours and those of the policy never meet, so that it would never train. */
  everTrains(own: Hours | undefined, nowMs: number): boolean {
    const both = this.hours(own);
    return both === undefined || hoursEverCome(both, nowMs);
  }

  /** The most that uploads may take of the link. */
  uploadBytesPerSecond(own: number | undefined): number | undefined {
    return smaller(own, bytesOf(this.rules.uploadLimit));
  }
}
