import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { Checker } from './checker.js';

/** Control variates, rounding errors and site-local weights: a site must keep those of an update exactly when it was accepted. */
export const keptState: Checker = {
  promise: 'what a site keeps from round to round comes from accepted updates, each of them once',
  watch: (world) => () => {
    const accepted = new Set(world.disk.records.rowsOf(Update).map(({ participationId }) => participationId));
    for (const { name } of world.plan.sites) {
      const { keptStates } = world.siteDisk(name);
      if (new Set(keptStates).size !== keptStates.length) return `${name} has kept what an update left twice`;
      const stray = keptStates.find((participationId) => !accepted.has(participationId));
      if (stray !== undefined) return `${name} has kept what the update of ${stray} left, which was not accepted`;
    }
    return undefined;
  },
};
