import { formatBytes } from '@consilium/shared/kernel';
import { narrowDevice } from './narrow-limits.js';
import type { Demand } from './policy-demand.js';
import {
  bytesOf,
  fitsCampaign,
  foldersFor,
  mayLeave,
  type Metric,
  type PolicyRule,
  rulesOf,
  type SitePolicy,
} from './site-policy.js';

/** What one rule says of a plan. */
export interface Finding {
  readonly rule: PolicyRule;
  readonly allowed: boolean;
  /** In words, for this site's own eyes. */
  readonly why: string;
}

/** What the rules need to know besides the plan. */
export interface SiteFacts {
  /** The device that the site's settings ask for. */
  readonly device: string;
  /** The protocol that is spoken with the coordinator. */
  readonly protocol: number;
  /** Usable volumes that lie in these folders; undefined where nobody has looked. */
  readonly volumesIn?: ((folders: readonly string[]) => number) | undefined;
}

type Judge = (policy: SitePolicy, demand: Demand, facts: SiteFacts) => Omit<Finding, 'rule'>;

const yes = (why: string): Omit<Finding, 'rule'> => ({ allowed: true, why });
const no = (why: string): Omit<Finding, 'rule'> => ({ allowed: false, why });

/** A rule that is a limit on the site's own work and refuses no plan. */
const limit =
  (words: (policy: SitePolicy) => string): Judge =>
  (policy) =>
    yes(words(policy));

/** What a coordinator of protocol 1 cannot do without. */
const NEEDED_IN_PROTOCOL_1: readonly Metric[] = ['loss', 'time', 'volumes', 'score'];

const JUDGES: Readonly<Record<PolicyRule, Judge>> = {
  campaigns: ({ campaigns: { allow, deny } = {} }, { campaignName: name }) => {
    if (deny !== undefined && fitsCampaign(deny, name)) return no(`"${name}" is among the denied: ${deny.join(', ')}`);
    if (allow === undefined) return yes(`"${name}" is not denied`);
    if (fitsCampaign(allow, name)) return yes(`"${name}" is among the allowed: ${allow.join(', ')}`);
    return no(`"${name}" is not among the allowed: ${allow.join(', ')}`);
  },

  objectives: ({ objectives = [] }, { objective }) =>
    objectives.some((allowed) => allowed === objective)
      ? yes(`${objective} is allowed`)
      : no(`${objective} is not among the allowed: ${objectives.join(', ')}`),

  folders: (policy, { campaignName }, { volumesIn }) => {
    const folders = foldersFor(policy, campaignName) ?? [];
    if (folders.length === 0) return no(`no folder is open to "${campaignName}"`);
    const count = volumesIn?.(folders);
    const volumes = count === undefined ? '' : `, with ${count} usable volume${count === 1 ? '' : 's'}`;
    return yes(`trains on ${folders.length} folder${folders.length === 1 ? '' : 's'} only${volumes}`);
  },

  minimumCohort: ({ minimumCohort: fewest = 1 }, { asksFor, cohortSites }) => {
    if (asksFor === 'a score') return yes('a score is the site’s own, whoever else takes part');
    if (cohortSites === undefined) return no(`the plan does not tell how many sites are invited; at least ${fewest} must be`);
    const invited = `${cohortSites} site${cohortSites === 1 ? ' is' : 's are'} invited`;
    return cohortSites >= fewest ? yes(`${invited}, at least ${fewest} must be`) : no(`${invited}; at least ${fewest} must be`);
  },

  mostSteps: ({ mostSteps: most = Infinity }, { steps }) => {
    if (steps === undefined) return yes('no step is asked for');
    return steps <= most ? yes(`${steps} steps, ${most} at most`) : no(`${steps} steps are asked for; ${most} at most`);
  },

  mostMinutes: ({ mostMinutes: most = Infinity }, { asksFor, minutes }) => {
    if (asksFor === 'a score') return yes('nothing is trained');
    if (minutes === undefined) return no(`the plan sets no limit of minutes; it must set one of ${most} at most`);
    return minutes <= most ? yes(`${minutes} minutes, ${most} at most`) : no(`${minutes} minutes are asked for; ${most} at most`);
  },

  largestUpdate: ({ largestUpdate }, { updateBytes }) => {
    if (updateBytes === undefined) return yes('no update is asked for');
    const most = bytesOf(largestUpdate) ?? Infinity;
    const sizes = `the update has ${formatBytes(updateBytes)}`;
    return updateBytes <= most ? yes(`${sizes}, ${formatBytes(most)} at most`) : no(`${sizes}; ${formatBytes(most)} at most`);
  },

  metrics: (policy, { asksFor }, { protocol }) => {
    if (asksFor === 'a score' && !mayLeave(policy, 'score')) return no('the score is not among the figures that may leave');
    const lacking = protocol >= 2 ? [] : NEEDED_IN_PROTOCOL_1.filter((metric) => !mayLeave(policy, metric));
    if (lacking.length > 0) return no(`the coordinator is too old to do without ${lacking.join(', ')}, which may not leave`);
    const { metrics = [] } = policy;
    return yes(
      metrics.length === 0 ? 'no figure leaves but steps and patches' : `leaving beside the update: ${metrics.join(', ')}`,
    );
  },

  devices: ({ devices = [] }, _demand, { device }) => {
    const narrowed = narrowDevice(device, devices);
    if (narrowed === undefined) return no(`site.yaml asks for ${device}, and allowed is only ${devices.join(', ')}`);
    return yes(narrowed === device ? `${device} is allowed` : `computes on ${narrowed}, where site.yaml says ${device}`);
  },

  hours: limit(({ hours }) => `trains ${hours} only; accepts at any time`),
  uploadLimit: limit(({ uploadLimit }) => `sends ${uploadLimit} in a second at most`),
  threads: limit(({ threads }) => `trains with ${threads} threads at most`),
};

/** What each rule of the policy says of the plan, in the order of the policy's fields. Rules that the policy lacks say nothing. */
export function judgePlan(policy: SitePolicy, demand: Demand, facts: SiteFacts): Finding[] {
  return rulesOf(policy).map((rule) => ({ rule, ...JUDGES[rule](policy, demand, facts) }));
}
