import { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { World } from '../world/world.js';
import type { Checker } from './checker.js';

/** Whatever is killed when: an update is spent for before it leaves, once, and what was spent stays. */
export const privacyLedger: Checker = {
  promise: 'the privacy ledger never shrinks, and holds every update that left under a private plan, once',
  watch: (world) => {
    const seen = new Map<string, readonly string[]>();
    let shrunk: string | undefined;
    const look = (siteName: string): void => {
      const spends = world.siteDisk(siteName).spends();
      if ((seen.get(siteName) ?? []).some((spend, index) => spends[index] !== spend)) {
        shrunk ??= `the ledger of ${siteName} lost what it held`;
      }
      seen.set(siteName, spends);
    };
    if (hasPrivacy(world)) world.onAnswer(({ siteName }) => look(siteName));
    return () => {
      for (const { name } of world.plan.sites) look(name);
      return shrunk ?? unspentUpdate(world, seen);
    };
  },
};

function hasPrivacy({ plan: { acts } }: World): boolean {
  return acts.some(({ act }) => act.kind === 'start' && act.campaign.privacy !== undefined);
}

function unspentUpdate({ disk: { records } }: World, spends: ReadonlyMap<string, readonly string[]>): string | undefined {
  const planOf = new Map(records.rowsOf(Campaign).map(({ id, plan }) => [id, plan]));
  const campaignOf = new Map(records.rowsOf(Round).map(({ id, campaignId }) => [id, campaignId]));
  const partOf = new Map(records.rowsOf(Participation).map((part) => [part.id, part]));
  for (const { participationId, digest } of records.rowsOf(Update)) {
    const part = partOf.get(participationId);
    if (part === undefined || planOf.get(campaignOf.get(part.roundId) ?? '')?.privacy === undefined) continue;
    const spent = spends.get(part.siteName)?.filter((spend) => spend === `${participationId} ${digest}`).length ?? 0;
    if (spent !== 1) return `${part.siteName} has spent ${spent} times for its update of ${participationId}`;
  }
  return undefined;
}
