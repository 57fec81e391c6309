import { required } from '@consilium/shared/kernel';
import { type Neighbours, type PrivacyForm, releasesLeft } from '@consilium/shared/safeguards';
import { epsilonOfAll, epsilonOfCampaign, neighboursOfCampaign, type PrivacyLimits } from './judge-privacy.js';
import type { PrivacyRecord } from './privacy-ledger.js';

/** What one campaign has had of the site's privacy. */
export interface CampaignPrivacy {
  readonly campaignId: string;
  readonly campaignName: string;
  /** Of the newest release, as the clip norm and the multiplier are. */
  readonly form: PrivacyForm;
  readonly clipNorm: number;
  readonly noiseMultiplier: number;
  readonly releases: number;
  readonly neighbours: Neighbours;
  readonly epsilon: number;
  /** Of the site's limit for a campaign; null without one. */
  readonly epsilonLeft: number | null;
  /** More rounds like the last one that fit in all limits; null without any. */
  readonly roundsLeft: number | null;
}

export interface PrivacySummary {
  /** For which every ε here holds. */
  readonly delta: number;
  readonly limits: { readonly epsilon: number | null; readonly totalEpsilon: number | null };
  /** By the time of their first release. */
  readonly campaigns: readonly CampaignPrivacy[];
  readonly total: { readonly releases: number; readonly epsilon: number; readonly epsilonLeft: number | null };
}

/** The ledger in a person's terms. */
export function summarisePrivacy(records: readonly PrivacyRecord[], limits: PrivacyLimits): PrivacySummary {
  const { delta, epsilon, totalEpsilon } = limits;
  const total = epsilonOfAll(records, delta);
  const ids = [...new Set(records.map(({ campaignId }) => campaignId))];
  return {
    delta,
    limits: { epsilon: epsilon ?? null, totalEpsilon: totalEpsilon ?? null },
    campaigns: ids.map((id) => ofCampaign(id, records, limits)),
    total: { releases: records.length, epsilon: total, epsilonLeft: left(totalEpsilon, total) },
  };
}

function ofCampaign(id: string, records: readonly PrivacyRecord[], limits: PrivacyLimits): CampaignPrivacy {
  const own = records.filter(({ campaignId }) => campaignId === id);
  const { campaignId, campaignName, form, clipNorm, noiseMultiplier } = required(own.at(-1), 'a release of the campaign');
  const { delta } = limits;
  const neighbours = neighboursOfCampaign(own);
  const epsilon = epsilonOfCampaign(own, delta);
  const named = { campaignId, campaignName, form, clipNorm, noiseMultiplier };
  const next = { form, noiseMultiplier };
  const fits = [
    ...(limits.epsilon === undefined ? [] : [releasesLeft(own, next, { epsilon: limits.epsilon, delta }, neighbours)]),
    ...(limits.totalEpsilon === undefined
      ? []
      : [releasesLeft(records, next, { epsilon: limits.totalEpsilon, delta }, 'replaced')]),
  ];
  const roundsLeft = fits.length === 0 ? null : Math.min(...fits);
  return { ...named, releases: own.length, neighbours, epsilon, epsilonLeft: left(limits.epsilon, epsilon), roundsLeft };
}

function left(limit: number | undefined, spent: number): number | null {
  return limit === undefined ? null : Math.max(0, limit - spent);
}
