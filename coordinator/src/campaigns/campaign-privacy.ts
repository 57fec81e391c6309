import { epsilonOf, neighboursOf, rhoOfSpend } from '@consilium/shared/safeguards';
import type { CampaignPlan, CampaignPrivacyView } from '@consilium/shared/wire';

/** What the records say of a site's updates in a campaign. */
export interface ReleasedUpdate {
  readonly siteName: string;
  /** Whether a version was made with it. */
  readonly isFolded: boolean;
}

/**
 * What a campaign's privacy has come to, site by site: in the local form every update that arrived was a release, in the central form
 * every version that was made with one. Sites keep ledgers of their own, which also count what never arrived.
 */
export function campaignPrivacy(
  { privacy, rounds }: Pick<CampaignPlan, 'privacy' | 'rounds'>,
  siteNames: readonly string[],
  updates: readonly ReleasedUpdate[],
): CampaignPrivacyView | undefined {
  if (privacy === undefined) return undefined;
  const rho = rhoOfSpend(privacy);
  const sites = siteNames.map((siteName) => {
    const own = updates.filter((update) => update.siteName === siteName && (privacy.form === 'local' || update.isFolded));
    return { siteName, releases: own.length, epsilon: epsilonOf(own.length * rho, privacy.delta) };
  });
  return { ...privacy, neighbours: neighboursOf(privacy.form), sites, epsilonAtEnd: epsilonOf(rounds * rho, privacy.delta) };
}
