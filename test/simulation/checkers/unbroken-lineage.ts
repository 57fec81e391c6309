import { readFolded } from '../world/folded-bytes.js';
import { atTheEnd, firstWrong } from './checker.js';

export const unbrokenLineage = atTheEnd(
  'each version follows the one before it, by number and by content',
  ({ campaigns, versions, rounds }, world) =>
    firstWrong(campaigns, (campaign) => {
      const own = versions.filter(({ campaignId }) => campaignId === campaign.id).sort((a, b) => a.number - b.number);
      return firstWrong(own.entries(), ([index, { number, parentNumber, digest, roundId }]) => {
        if (number !== index + 1) return `version ${index + 1} of ${campaign.name} is missing`;
        const parent = own[index - 1];
        if (parentNumber !== (parent?.number ?? null)) return `version ${number} says that it follows ${parentNumber}`;
        if (parent === undefined) return undefined;
        const content = readFolded(world.disk.contentOf(digest));
        if (content?.base !== parent.digest) return `version ${number} was not made from version ${parent.number}`;
        const round = rounds.find(({ id }) => id === roundId);
        return round?.baseVersion === parent.number ? undefined : `the round of version ${number} had another base`;
      });
    }),
);
