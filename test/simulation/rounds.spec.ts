import { Random } from '../../shared/src/kernel/index.js';
import { checkWorld } from './checkers.js';
import { SimulatedWorld } from './simulated-world.js';

const WORLDS = 600;
const LIMIT_MS = 40 * 600_000;

function makeWorld(seed: string): SimulatedWorld {
  const random = new Random(`settings/${seed}`);
  const sites = random.integer(1, 8);
  return new SimulatedWorld(seed, {
    sites,
    rounds: random.integer(1, 12),
    quorum: random.integer(1, sites),
    graceMs: random.integer(0, 60_000),
    deadlineMs: random.integer(60_000, 600_000),
  });
}

const replay = process.env['CONSILIUM_SIMULATION_SEED'];
const seeds = replay === undefined ? Array.from({ length: WORLDS }, (_, i) => String(i)) : [replay];

describe('rounds in a simulated world', () => {
  it(`keep every promise over ${seeds.length} seeded campaigns with lost messages and crashes`, () => {
    const tally = { rounds: 0, finished: 0, failed: 0, crashes: 0 };
    for (const seed of seeds) {
      const world = makeWorld(seed);
      world.run(LIMIT_MS);
      checkWorld(world, seed);
      tally.rounds += world.records.rounds.length;
      tally.finished += world.records.rounds.filter(({ state }) => state === 'finished').length;
      tally.failed += world.records.rounds.filter(({ state }) => state === 'failed').length;
      tally.crashes += world.crashes;
    }
    if (replay !== undefined) return;
    // The world must be rough enough to mean something, and the rules good enough to get through it.
    expect(tally.rounds).toBeGreaterThan(2000);
    expect(tally.crashes).toBeGreaterThan(500);
    expect(tally.finished).toBeGreaterThan(1000);
    expect(tally.failed).toBeGreaterThan(10);
  }, 120_000);

  it('are the same for the same seed', () => {
    const [first, second] = [makeWorld('again'), makeWorld('again')];
    first.run(LIMIT_MS);
    second.run(LIMIT_MS);
    expect(second.records).toEqual(first.records);
  });
});

describe('the checkers', () => {
  function finishedWorld(): SimulatedWorld {
    for (let i = 0; ; i++) {
      const world = makeWorld(`healthy-${i}`);
      world.run(LIMIT_MS);
      const isTelling = world.settings.quorum > 1 && world.records.rounds.filter(({ state }) => state === 'finished').length > 2;
      if (isTelling) return world;
    }
  }

  const mutants: Record<string, (world: SimulatedWorld) => void> = {
    'an update folded twice': ({ records }) => void records.rounds[0]?.foldedSites.push(records.rounds[0].foldedSites[0] ?? ''),
    'a version made twice': ({ records }) => void records.versions.push({ number: 99, parent: 98, roundNumber: 1 }),
    'a version with the wrong parent': ({ records }) => {
      const version = records.versions[2];
      if (version !== undefined) records.versions[2] = { ...version, parent: 1 };
    },
    'a fold below the quorum': ({ records }) => {
      const round = records.rounds[0];
      round?.participations.forEach((part, i) => (part.state = i === 0 ? 'delivered' : 'late'));
      round?.foldedSites.splice(0, Number.POSITIVE_INFINITY, 'site-0');
    },
    'a participation left open': ({ records }) => {
      const part =
        records.rounds[1]?.participations.find(({ state }) => state !== 'delivered') ?? records.rounds[1]?.participations[0];
      if (part !== undefined) part.state = 'training';
    },
    'a round that ignored its grace': ({ records }) => {
      const round = records.rounds[0];
      if (round !== undefined) round.finishedMs = round.deadlineAtMs + 1e9;
    },
    'a failure in spite of the quorum': ({ records }) => {
      const round = records.rounds.find(({ state }) => state === 'finished');
      if (round !== undefined) round.state = 'failed';
    },
  };

  it.each(Object.keys(mutants))('catch %s', (name) => {
    const world = finishedWorld();
    expect(() => checkWorld(world, 'mutant')).not.toThrow();
    mutants[name]?.(world);
    expect(() => checkWorld(world, 'mutant')).toThrow(/replay: CONSILIUM_SIMULATION_SEED=mutant/);
  });
});
