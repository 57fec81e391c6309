import { algorithmOf, digestOfBytes } from '@consilium/shared/kernel';
import { foldedBytes, type FoldedUpdate, readFolded } from '../world/folded-bytes.js';
import { atTheEnd, type FinalRecords, firstWrong, isCounting } from './checker.js';

/** Works out from the records alone what must have been folded: the updates that count, in site order, with their weights. */
export const exactSums = atTheEnd(
  'a version holds the accepted updates of its round, all of them, in site order',
  (records, world) =>
    firstWrong(records.versions, ({ number, campaignId, roundId, digest }) => {
      if (roundId === null) return undefined;
      const base = records.versions.find((version) => version.campaignId === campaignId && version.number === number - 1);
      if (base === undefined) return `version ${number} has no base`;
      const content = readFolded(world.disk.contentOf(digest));
      const expected = foldedBytes(base.digest, expectedUpdates(records, roundId, base.number), content?.parts);
      if (digestOfBytes(expected, algorithmOf(digest)) === digest) return undefined;
      return `version ${number} holds ${world.disk.contentOf(digest).toString()}, and should hold ${expected.toString()}`;
    }),
);

function expectedUpdates({ updates, participations, rounds }: FinalRecords, roundId: string, baseNumber: number): FoldedUpdate[] {
  return updates
    .filter((update) => update.foldRoundId === roundId && isCounting(update))
    .map(({ participationId, roundId: madeFor, digest, patches }) => {
      const siteName = participations.find(({ id }) => id === participationId)?.siteName ?? '';
      const madeFrom = rounds.find(({ id }) => id === madeFor)?.baseVersion ?? 0;
      return { siteName, digest, patches, staleness: baseNumber - madeFrom };
    })
    .sort((a, b) => (a.siteName === b.siteName ? b.staleness - a.staleness : a.siteName < b.siteName ? -1 : 1));
}
