import { campaignPlanSchema, objectiveSchema, type RoundPlan } from '@consilium/shared/wire';
import { makeScoreAssignment, makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { judgePlan, type SiteFacts } from './judge-plan.js';
import { narrowDevice, narrowLimits } from './narrow-limits.js';
import { demandOfCampaign, demandOfRound, demandOfScore } from './policy-demand.js';
import type { SitePolicy } from './site-policy.js';

const { plan: bare } = makeTrainAssignment();
const plan: RoundPlan = { ...bare, cohortSites: 3, training: { ...bare.training, steps: 100, minutes: 30 } };
const FACTS: SiteFacts = { device: 'auto', protocol: 2, volumesIn: () => 4 };

/** What the policy's rules say, the first one's words last. */
function judged(policy: SitePolicy, changes: Partial<RoundPlan> = {}, facts: Partial<SiteFacts> = {}) {
  const findings = judgePlan(policy, demandOfRound({ ...plan, ...changes }), { ...FACTS, ...facts });
  return { allowed: findings.every(({ allowed }) => allowed), rules: findings.map(({ rule }) => rule), why: findings[0]?.why };
}

describe('judging a plan', () => {
  it('says nothing without a rule', () => {
    expect(judged({})).toEqual({ allowed: true, rules: [], why: undefined });
  });

  it.each<[string, SitePolicy, boolean, RegExp]>([
    ['an allowed campaign', { campaigns: { allow: ['ti*'] } }, true, /among the allowed/],
    ['another campaign', { campaigns: { allow: ['chest'] } }, false, /"tiny" is not among the allowed: chest/],
    ['a denied campaign', { campaigns: { allow: ['*'], deny: ['tiny'] } }, false, /among the denied/],
    ['a campaign that nobody denies', { campaigns: { deny: ['chest'] } }, true, /not denied/],
    ['an allowed objective', { objectives: ['models-genesis'] }, true, /is allowed/],
    ['another objective', { objectives: ['universal-model'] }, false, /models-genesis is not among/],
    ['folders that are open', { folders: [{ paths: ['/a'] }] }, true, /1 folder only, with 4 usable volumes/],
    ['no open folder', { folders: [{ paths: ['/a'], campaigns: ['chest'] }] }, false, /no folder is open to "tiny"/],
    ['company enough', { minimumCohort: 3 }, true, /3 sites are invited/],
    ['too little company', { minimumCohort: 4 }, false, /3 sites are invited; at least 4/],
    ['few steps', { mostSteps: 100 }, true, /100 steps/],
    ['too many steps', { mostSteps: 99 }, false, /100 steps are asked for; 99 at most/],
    ['a short round', { mostMinutes: 30 }, true, /30 minutes/],
    ['a long round', { mostMinutes: 29 }, false, /30 minutes are asked for/],
    ['a small update', { largestUpdate: '1MB' }, true, /the update has/],
    ['a large update', { largestUpdate: '1kB' }, false, /1000 B at most/],
    ['figures that stay', { metrics: ['loss'] }, true, /leaving beside the update: loss/],
    ['devices', { devices: ['cpu'] }, true, /computes on cpu, where site.yaml says auto/],
    ['hours', { hours: '20:00-06:00' }, true, /20:00-06:00 only/],
    ['threads', { threads: 2 }, true, /2 threads/],
    ['a limit of the link', { uploadLimit: '1MB' }, true, /1MB in a second/],
  ])('%s', (_what, policy, allowed, why) => {
    const { why: words, ...verdict } = judged(policy);
    expect(verdict).toEqual({ allowed, rules: Object.keys(policy) });
    expect(words).toMatch(why);
  });

  it('refuses what a plan does not tell but a rule needs', () => {
    expect(judged({ minimumCohort: 2 }, { cohortSites: undefined })).toMatchObject({ allowed: false, why: /does not tell/ });
    expect(judged({ mostMinutes: 60 }, { training: bare.training })).toMatchObject({ allowed: false, why: /sets no limit/ });
  });

  it('refuses a device that the settings ask for and the policy does not allow', () => {
    expect(judged({ devices: ['cpu'] }, {}, { device: 'gpu:0' })).toMatchObject({ allowed: false, why: /asks for gpu:0/ });
  });

  it('refuses an old coordinator that cannot do without a figure that may not leave', () => {
    expect(judged({ metrics: ['loss', 'time', 'volumes', 'score'] }, {}, { protocol: 1 }).allowed).toBe(true);
    expect(judged({ metrics: ['time', 'score'] }, {}, { protocol: 1 })).toMatchObject({ allowed: false, why: /loss, volumes/ });
  });

  it('holds a score to what a score asks for', () => {
    const demand = demandOfScore(makeScoreAssignment().plan);
    const findings = judgePlan({ minimumCohort: 9, mostSteps: 1, mostMinutes: 1, largestUpdate: '1B' }, demand, FACTS);
    expect(findings.every(({ allowed }) => allowed)).toBe(true);
    expect(judgePlan({ metrics: ['loss'] }, demand, FACTS)[0]).toMatchObject({ allowed: false, why: /the score is not among/ });
    expect(judgePlan({ campaigns: { deny: ['tiny'] } }, demand, FACTS)[0]?.allowed).toBe(false);
  });

  it('counts the patches of an adversary round as steps of the campaign’s size', () => {
    const adversary = { mode: 'frozen', subRounds: 1, patches: 50, warmUpShare: 0.5 } as const;
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary });
    const model = { architecture: 'universal-model', width: 2, scales: 0 } as never;
    const round = { ...plan, objective, model, roundNumber: 2 };
    expect(demandOfRound(round).steps).toBe(25); // batches of 2
  });

  it('takes of a campaign file the most that a round may ask for', () => {
    const campaign = campaignPlanSchema.parse({
      ...{ name: 'chest', model: { architecture: 'genesis-unet3d', width: 2 }, rounds: 3 },
      ...{ training: { steps: 7 }, sites: ['a', 'b', 'c'], cohort: { sites: 2 }, updates: { format: 'f16' } },
    });
    const demand = demandOfCampaign(campaign);
    expect(demand).toMatchObject({ campaignName: 'chest', steps: 7, cohortSites: 2, minutes: undefined });
    const inFull = demandOfCampaign({ ...campaign, updates: undefined }).updateBytes ?? 0;
    expect((demand.updateBytes ?? 0) / inFull).toBeCloseTo(0.5, 1);
    expect(demandOfCampaign({ ...campaign, sites: undefined, cohort: undefined }).cohortSites).toBeUndefined();
  });
});

describe('narrowing what training may use', () => {
  it.each([
    ['auto', ['cpu'], 'cpu'],
    ['auto', ['gpu'], 'gpu'],
    ['auto', ['cpu', 'gpu'], 'auto'],
    ['auto', ['gpu:1', 'gpu:2'], 'gpu:1'],
    ['auto', ['cpu', 'gpu:1'], 'cpu'],
    ['cpu', ['gpu'], undefined],
    ['gpu', ['gpu:2'], 'gpu:2'],
    ['gpu:0,1', ['gpu'], 'gpu:0,1'],
    ['gpu:0,1', ['gpu:0', 'gpu:1'], 'gpu:0,1'],
    ['gpu:0,1', ['gpu:0'], undefined],
    ['gpu', ['cpu'], undefined],
  ])('%s where %j is allowed: %s', (setting, devices, narrowed) => {
    expect(narrowDevice(setting, devices)).toBe(narrowed);
  });

  it('takes the smaller number of threads', () => {
    expect(narrowLimits({ threads: 4 }, { threads: 8 }).threads).toBe(4);
    expect(narrowLimits({}, { threads: 8 }).threads).toBe(8);
    expect(narrowLimits({ threads: 4 }, {}).threads).toBe(4);
  });
});
