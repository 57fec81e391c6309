import { Random } from '@consilium/shared/kernel';
import { type CampaignPlan, frozenAdversary } from '@consilium/shared/wire';
import { DEFAULTS, simulatedCampaign, withFrozenAdversary } from './calm-world.js';
import type { OperatorAct, SitePlan, WorldPlan } from './world-plan.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A world drawn from a seed: sites that are quick, slow, silent or clumsy; lines, disks and people that fail now and then. */
export function drawnWorld(seed: string): WorldPlan {
  const random = new Random(`drawn/${seed}`);
  const count = random.chance(0.9) ? random.integer(1, 3) : random.integer(4, 8);
  const names = Array.from({ length: count }, (_, index) => `site-${'abcdefgh'[index]}`);
  const isCalm = random.chance(0.3);
  const sites = names.map((name) => drawnSite(name, random.fork(name), isCalm));
  const campaigns = Array.from({ length: random.chance(0.15) ? 2 : 1 }, (_, index) => `campaign-${index + 1}`);
  return {
    seed,
    sites,
    acts: [
      ...campaigns.flatMap((name) => drawnCampaign(name, names, random.fork(name))),
      ...(random.chance(0.1) ? drawnAbsence(random.fork('absence'), names) : []),
    ],
    resumes: random.integer(0, 2),
    deathsAtWrites: isCalm || random.chance(0.4) ? 0 : random.between(0.000_5, 0.01),
    plannedDeaths: [],
    coordinatorSkewMs: random.chance(0.1) ? random.between(-HOUR_MS, HOUR_MS) : 0,
    deadForMs: [500, 45_000],
  };
}

function drawnSite(name: string, random: Random, isCalm: boolean): SitePlan {
  const slowness = random.chance(0.1) ? 20 : random.between(0.3, 2);
  const rough = isCalm ? 0 : 1;
  return {
    name,
    temper: {
      stepMs: 1_000 * slowness,
      dies: rough * 0.04,
      diverges: rough * 0.01,
      spoils: rough * 0.02,
    },
    quality: {
      latencyMs: [5, random.between(20, 800)],
      lost: rough * random.between(0, 0.04),
      doubled: rough * random.between(0, 0.05),
    },
    cuts: isCalm || random.chance(0.75) ? [] : drawnCuts(random),
    skewMs: random.chance(0.2) ? random.between(-HOUR_MS, HOUR_MS) : 0,
    startsAtMs: random.chance(0.04) ? 1_000 * HOUR_MS : random.between(0, 5_000),
    chunks: random.integer(1, 3),
    altered: rough * (random.chance(0.1) ? 0.02 : 0),
  };
}

function drawnCuts(random: Random): SitePlan['cuts'] {
  return Array.from({ length: random.integer(1, 3) }, () => {
    const fromMs = random.between(0, 30 * MINUTE_MS);
    return { fromMs, toMs: fromMs + random.between(1_000, random.chance(0.2) ? 20 * MINUTE_MS : 2 * MINUTE_MS) };
  });
}

function drawnCampaign(name: string, sites: readonly string[], random: Random): OperatorAct[] {
  const quorum = random.integer(1, sites.length);
  const parts = random.fork('parts');
  const frozen = parts.chance(0.15) ? withFrozenAdversary(parts.integer(1, 3), parts.integer(2, 6)) : undefined;
  const cohort = random.chance(0.2) ? { sites: random.integer(quorum, sites.length) } : undefined;
  const campaign = withPrivacy(random.fork('privacy'), {
    ...simulatedCampaign({
      name,
      training: { ...DEFAULTS.training, steps: random.integer(4, 12) },
      quorum,
      seed: random.integer(0, 1_000),
      rounds: random.integer(10, 30),
      grace: `${random.integer(1, 60)}s`,
      deadline: `${random.integer(2, 20)}min`,
      attempts: random.integer(1, 3),
      ...(cohort === undefined ? {} : { cohort }),
      ...(random.chance(0.15) ? { requiredSites: [sites[random.integer(0, sites.length - 1)] as string] } : {}),
      ...(random.chance(0.2) ? { recipe: { name: 'fedbuff', maximumStaleness: random.integer(1, 4) } } : {}),
      ...(random.chance(0.3) ? { digest: 'blake3' } : {}),
      ...(frozen === undefined ? {} : { ...frozen, recipe: { name: 'fedadam' } }),
    }),
  });
  const atMs = random.between(5_000, 30_000);
  const later = (): number => atMs + random.between(MINUTE_MS, 20 * MINUTE_MS);
  const acts: OperatorAct[] = [{ atMs, act: { kind: 'start', campaign } }];
  if (random.chance(0.1)) {
    const pausedAtMs = later();
    acts.push({ atMs: pausedAtMs, act: { kind: 'pause', campaignName: name } });
    acts.push({ atMs: pausedAtMs + random.between(1_000, 5 * MINUTE_MS), act: { kind: 'resume', campaignName: name } });
  }
  if (random.chance(0.05)) acts.push({ atMs: later(), act: { kind: 'cancel', campaignName: name } });
  return acts;
}

/** Of the simulated updates all honest ones have the norm 1, and a clumsy trainer's 10: those are over the clip norm. */
function withPrivacy(random: Random, campaign: CampaignPlan): CampaignPlan {
  if (!random.chance(0.15) || frozenAdversary(campaign.objective) !== undefined) return campaign;
  const form = campaign.recipe.name === 'fedbuff' || random.chance(0.5) ? 'local' : 'central';
  const figures = random.chance(0.5) ? 'counts' : 'all';
  return { ...campaign, privacy: { form, clipNorm: 5, noiseMultiplier: 1, delta: 1e-5, figures } };
}

/** A site leaves the federation and, most times, comes back under its name. */
function drawnAbsence(random: Random, sites: readonly string[]): OperatorAct[] {
  const siteName = sites[random.integer(0, sites.length - 1)] as string;
  const atMs = random.between(MINUTE_MS, 20 * MINUTE_MS);
  const leaves: OperatorAct = { atMs, act: { kind: 'revoke', siteName } };
  const returns: OperatorAct = { atMs: atMs + random.between(1_000, 10 * MINUTE_MS), act: { kind: 'rejoin', siteName } };
  return random.chance(0.7) ? [leaves, returns] : [leaves];
}
