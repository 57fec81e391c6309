import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import type { Cut } from '../world/site-line.js';
import type { World } from '../world/world.js';
import { countedIn, finalDigest, partsOf, roundsOf, stepsOf } from './read-world.js';

const MINUTE_MS = 60_000;
const ROUNDS = 3;
const STEPS = 120;

function run(cuts: readonly Cut[]): Promise<World> {
  const plan = { name: 'tiny', rounds: ROUNDS, quorum: 2, deadline: '6h' } as const;
  const campaign = { ...simulatedCampaign(plan), training: { ...simulatedCampaign(plan).training, steps: STEPS } };
  const sites = [calmSite('near'), calmSite('far', { cuts })];
  return checkedWorld(calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign } }] }));
}

describe.each([
  ['6 minutes', 6 * MINUTE_MS],
  ['2.5 hours', 150 * MINUTE_MS],
])('a link that is cut for %s', (_name, lastsMs) => {
  it('while a site trains: it trains on, loses no step, and delivers when it is back', async () => {
    const undisturbed = await run([]);
    const cut = { fromMs: 30_000, toMs: 30_000 + lastsMs };
    const world = await run([cut]);
    expect(partsOf(world, 'far')).toEqual(Array(ROUNDS).fill({ state: 'delivered', code: null }));
    expect(stepsOf(world, 'far')).toBe(ROUNDS * STEPS);
    // Delivered at once: redialling pauses no longer than half a minute.
    const [first] = roundsOf(world);
    const world0Ms = world.schedule.nowMs - world.schedule.elapsedMs;
    expect((first?.finishedAtMs ?? 0) - world0Ms).toBeGreaterThan(cut.toMs);
    expect((first?.finishedAtMs ?? 0) - world0Ms).toBeLessThan(cut.toMs + 75_000);
    expect(finalDigest(world)).toBe(finalDigest(undisturbed));
  });

  it('while it sends its update: it goes on from what has arrived', async () => {
    const undisturbed = await run([]);
    const [first] = roundsOf(undisturbed);
    const deliveredMs = (first?.finishedAtMs ?? 0) - (undisturbed.schedule.nowMs - undisturbed.schedule.elapsedMs);
    // The fold takes two seconds; the upload is just before it.
    for (const earlierMs of [2_300, 2_200, 2_100]) {
      const fromMs = deliveredMs - earlierMs;
      const world = await run([{ fromMs, toMs: fromMs + lastsMs }]);
      expect(stepsOf(world, 'far')).toBe(ROUNDS * STEPS);
      expect(countedIn(world).map((names) => [...names].sort())).toEqual(Array(ROUNDS).fill(['far', 'near']));
      expect(finalDigest(world)).toBe(finalDigest(undisturbed));
    }
  });
});
