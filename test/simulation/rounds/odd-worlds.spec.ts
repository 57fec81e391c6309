import { checkedWorld } from '../checkers/check-world.js';
import { drawnWorld } from '../world/drawn-world.js';
import { expectTelling, HOUR_MS, ROUNDS_PER_HALF, runManyWorlds, seedToReplay } from './many-worlds.js';

const replayed = seedToReplay();

describe('rounds in drawn worlds', () => {
  it(
    replayed === undefined ? 'keep every promise (worlds 1, 3, 5 …)' : `of seed ${replayed} keep every promise`,
    async () => {
      if (replayed === undefined) expectTelling(await runManyWorlds(1, ROUNDS_PER_HALF));
      else await checkedWorld(drawnWorld(replayed));
    },
    HOUR_MS,
  );
});
