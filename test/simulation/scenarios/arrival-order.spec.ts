import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import { countedIn, finalDigest } from './read-world.js';

const SITES = ['a', 'b', 'c', 'd'];

describe('updates that arrive in another order', () => {
  it('give one and the same digest', async () => {
    const campaign = simulatedCampaign({ name: 'tiny', rounds: 2, quorum: SITES.length, deadline: '2h' });
    const digests = new Set<string>();
    const orders = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const sites = SITES.map((name) => calmSite(name, { quality: { latencyMs: [5, 8_000], lost: 0, doubled: 0.2 } }));
      const acts = [{ atMs: 20_000, act: { kind: 'start', campaign } }] as const;
      const world = await checkedWorld(calmWorld({ seed: `order-${seed}`, sites, acts }));
      digests.add(finalDigest(world));
      orders.add(countedIn(world)[0]?.join('') ?? '');
    }
    expect(digests.size).toBe(1);
    // Of 24 possible orders.
    expect(orders.size).toBeGreaterThan(12);
  }, 60_000);
});
