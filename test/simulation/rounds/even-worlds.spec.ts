import { checkedWorld } from '../checkers/check-world.js';
import { drawnWorld } from '../world/drawn-world.js';
import { expectTelling, HOUR_MS, ROUNDS_PER_HALF, runManyWorlds, seedToReplay } from './many-worlds.js';

const replayed = seedToReplay();

describe('rounds in drawn worlds', () => {
  it(
    replayed === undefined ? 'keep every promise (worlds 2, 4, 6 …)' : `of seed ${replayed} keep every promise`,
    async () => {
      if (replayed === undefined) expectTelling(await runManyWorlds(2, ROUNDS_PER_HALF));
      else await checkedWorld(drawnWorld(replayed));
    },
    HOUR_MS,
  );
});
