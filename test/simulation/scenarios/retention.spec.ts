import { compileRetentionSettings } from '../../../coordinator/src/config/retention-settings.js';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { DroppedFile } from '../../../coordinator/src/retention/dropped-file.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import { checkedWorld } from '../checkers/check-world.js';
import { calmSite, calmWorld, simulatedCampaign, withFrozenAdversary } from '../world/calm-world.js';
import { COORDINATOR, type WorldPlan } from '../world/world-plan.js';
import type { World } from '../world/world.js';
import { finalDigest } from './read-world.js';

/** Everything goes that may go. */
const STRICT = compileRetentionSettings({
  ...{ retainUpdates: '1ms', retainUpdateRounds: 0, retainHeldBack: '1ms', retainVersions: 1, retainVersionEvery: 0 },
});

type Changes = Partial<WorldPlan>;
type Campaign = Parameters<typeof simulatedCampaign>[0];

function plan(changes: Changes = {}, campaign: Partial<Campaign> = {}): WorldPlan {
  const named = simulatedCampaign({ name: 'tiny', rounds: 4, quorum: 2, deadline: '2h', ...campaign });
  const sites = [calmSite('a'), calmSite('b')];
  return calmWorld({ sites, acts: [{ atMs: 5_000, act: { kind: 'start', campaign: named } }], ...changes });
}

/** How many rows of updates and versions say that their bytes were dropped. */
function droppedIn({ disk: { records } }: World): [updates: number, versions: number] {
  const isDropped = ({ droppedAtMs }: { droppedAtMs: number | null }): boolean => droppedAtMs !== null;
  return [records.rowsOf(Update).filter(isDropped).length, records.rowsOf(ModelVersion).filter(isDropped).length];
}

describe('a coordinator that keeps no more than it must', () => {
  it('comes to the digest of one that keeps everything', async () => {
    const keeping = await checkedWorld(plan());
    const dropping = await checkedWorld(plan({ retention: STRICT }));
    expect(finalDigest(dropping)).toBe(finalDigest(keeping));
    expect(droppedIn(keeping)).toEqual([0, 0]);
    const [updates, versions] = droppedIn(dropping);
    expect([updates >= 6, versions]).toEqual([true, 4]);
    expect(dropping.disk.blobs.size).toBeLessThan(keeping.disk.blobs.size / 2);
  });

  it('does so with an adversary, whose state skips rounds', async () => {
    const adversary = { ...withFrozenAdversary(2), rounds: 7 };
    const keeping = await checkedWorld(plan({}, adversary));
    const dropping = await checkedWorld(plan({ retention: STRICT }, adversary));
    expect(finalDigest(dropping)).toBe(finalDigest(keeping));
    expect(droppedIn(dropping)[1]).toBeGreaterThan(3);
  });

  it('does so while it dies again and again, also between record and file', async () => {
    const keeping = await checkedWorld(plan());
    let deaths = 0;
    for (let seed = 0; seed < 12; seed++) {
      const changes = { seed: `drops-${seed}`, deathsAtWrites: 0.04, retention: STRICT };
      const world = await checkedWorld(plan(changes));
      expect(finalDigest(world)).toBe(finalDigest(keeping));
      deaths += world.deathsOf(COORDINATOR);
      // What is left to be removed is what the next start would take up.
      const left = new Set<string>(world.disk.records.rowsOf(DroppedFile).map(({ digest }) => digest));
      const gone = world.disk.records.rowsOf(ModelVersion).filter(({ droppedAtMs }) => droppedAtMs !== null);
      for (const { digest } of gone) expect(world.disk.blobs.has(digest) && !left.has(digest)).toBe(false);
    }
    expect(deaths).toBeGreaterThan(10);
  }, 60_000);

  it('leaves slow sites of a buffered campaign their base', async () => {
    const slow = calmSite('c', { temper: { stepMs: 60_000, dies: 0, diverges: 0, spoils: 0 } });
    const sites = [calmSite('a'), calmSite('b'), slow];
    const recipe = { name: 'fedbuff', maximumStaleness: 5 };
    const world = await checkedWorld(plan({ sites, retention: STRICT }, { rounds: 6, recipe }));
    expect(world.campaigns()[0]?.state).toBe('finished');
    expect(droppedIn(world)[1]).toBeGreaterThan(2);
  });
});
