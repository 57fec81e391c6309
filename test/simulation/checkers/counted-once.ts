import { readFolded } from '../world/folded-bytes.js';
import { atTheEnd, firstWrong } from './checker.js';

export const countedOnce = atTheEnd(
  'no update is counted twice, in one version or in several',
  ({ campaigns, versions }, world) =>
    firstWrong(campaigns, ({ id, name }) => {
      const seen = new Set<string>();
      return firstWrong(
        versions.filter(({ campaignId }) => campaignId === id),
        ({ number, digest }) =>
          firstWrong(readFolded(world.disk.contentOf(digest))?.updates ?? [], (update) => {
            const isRepeated = seen.has(update.digest);
            seen.add(update.digest);
            return isRepeated ? `version ${number} of ${name} counts an update of ${update.siteName} once more` : undefined;
          }),
      );
    }),
);
