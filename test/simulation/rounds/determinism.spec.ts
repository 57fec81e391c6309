import { checkedWorld } from '../checkers/check-world.js';
import { drawnWorld } from '../world/drawn-world.js';
import { World } from '../world/world.js';

/** Every commit of a world by time, its identifiers numbered in the order in which they come up. */
async function historyOf(seed: string): Promise<string[]> {
  const world = new World(drawnWorld(seed));
  const numbers = new Map<string, number>();
  const numbered = (id: string): string => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    return `#${numbers.get(id)}`;
  };
  const lines: string[] = [];
  world.disk.records.onCommit((changes) => {
    const rows = changes.map(({ entity, after }) => `${entity.name} ${JSON.stringify(after)}`).join('; ');
    // Secrets and their digests are random on purpose; identifiers, too, but the same ones come up again.
    const plain = rows
      .replace(/"(tokenDigest|credentialDigest)":"[^"]*"/g, '"$1":""')
      .replace(/\b(?:site|campaign|round|part|version)_[0-9a-f]{20}\b/g, numbered);
    lines.push(`${world.schedule.elapsedMs} ${plain}`);
  });
  await world.run(48 * 3_600_000);
  return lines;
}

describe('a seed', () => {
  it('always gives the same history, to the millisecond and the byte', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const history = await historyOf(`again-${seed}`);
      expect(history.length).toBeGreaterThan(50);
      expect(await historyOf(`again-${seed}`)).toEqual(history);
    }
  }, 60_000);

  it('of a world that breaks a promise is printed with the command that shows it again', async () => {
    const plan = { ...drawnWorld('broken'), acts: [] };
    await expect(checkedWorld({ ...plan, sites: [] }, 0)).resolves.toBeDefined();
    const endless = { ...drawnWorld('endless'), acts: drawnWorld('endless').acts.slice(0, 1) };
    await expect(checkedWorld(endless, 1_000)).rejects.toThrow(
      'every campaign comes to an end: Error: the campaigns did not end within 1000 ms of simulated time\n' +
        'seed endless; replay: CONSILIUM_SIMULATION_SEED=endless npm run jest -- test/simulation/rounds',
    );
  });
});
