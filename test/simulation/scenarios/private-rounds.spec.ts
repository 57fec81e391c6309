import { jest } from '@jest/globals';
import type { PrivacyPlan } from '@consilium/shared/wire';
import { checkedWorld } from '../checkers/check-world.js';
import { privacyLedger } from '../checkers/privacy-ledger.js';
import { calmSite, calmWorld, simulatedCampaign } from '../world/calm-world.js';
import type { PlannedDeath } from '../world/world-plan.js';
import { World } from '../world/world.js';
import { finalDigest } from './read-world.js';

const ROUNDS = 3;
const PRIVACY: PrivacyPlan = { form: 'local', clipNorm: 5, noiseMultiplier: 4, delta: 1e-5, figures: 'counts' };

function planOf(privacy: PrivacyPlan, plannedDeaths: readonly PlannedDeath[] = []) {
  const campaign = simulatedCampaign({ name: 'private', rounds: ROUNDS, quorum: 2, deadline: '2h', privacy });
  const acts = [{ atMs: 5_000, act: { kind: 'start', campaign } }] as const;
  return calmWorld({ sites: ['a', 'b'].map((name) => calmSite(name)), acts, plannedDeaths });
}

describe('a campaign with update privacy', () => {
  it.each(['local', 'central'] as const)('%s: each site spends once a round, and is asked for no score', async (form) => {
    const world = await checkedWorld(planOf({ ...PRIVACY, form }));
    for (const name of ['a', 'b']) expect(world.siteDisk(name).spends()).toHaveLength(ROUNDS);
    expect(world.campaigns().map(({ state }) => state)).toEqual(['finished']);
  });

  it('spends the same, and ends with the same weights, when a site is killed at any write', async () => {
    const undisturbed = await checkedWorld(planOf(PRIVACY));
    const [expected, spent] = [finalDigest(undisturbed), undisturbed.siteDisk('b').spends().length];
    const writes = undisturbed.writes.get('b') ?? 0;
    expect(writes).toBeGreaterThan(20);
    for (let write = 1; write <= writes; write++) {
      const when = write % 2 === 0 ? 'dies-before' : 'dies-after';
      const world = await checkedWorld(planOf(PRIVACY, [{ process: 'b', write, when }]));
      expect([finalDigest(world), world.siteDisk('b').spends().length]).toEqual([expected, spent]);
    }
  }, 300_000);

  it('its checker finds a ledger that lacks an update, or has lost one', async () => {
    const world = new World(planOf(PRIVACY));
    const judge = privacyLedger.watch(world);
    await world.run(48 * 3_600_000);
    expect(judge()).toBeUndefined();
    const disk = world.siteDisk('a');
    const spends = [...disk.spends()];
    jest.spyOn(disk, 'spends').mockReturnValue(spends.slice(1));
    expect(judge()).toMatch(/lost what it held/);
    expect(privacyLedger.watch(world)()).toMatch(/has spent 0 times/);
  });
});
