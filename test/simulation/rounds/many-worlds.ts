import { partOfRound } from '@consilium/shared/wire';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { checkedWorld } from '../checkers/check-world.js';
import { drawnWorld } from '../world/drawn-world.js';

/** Rounds that the two halves run at least, each in a process of its own. */
export const ROUNDS_PER_HALF = 10_000;
/** Two minutes of a quick processor; a slow one beside other work gets its time too: what is tested is not speed. */
export const HOUR_MS = 3_600_000;

/** What happened in many worlds. */
export interface Tally {
  worlds: number;
  rounds: number;
  readonly states: Record<string, number>;
  deaths: number;
  buffered: number;
  /** Adversary rounds that made a version. */
  adversary: number;
}

/** The one world to look at again, if the environment names it. */
export function seedToReplay(): string | undefined {
  return process.env['CONSILIUM_SIMULATION_SEED'];
}

/** Runs drawn worlds, every second one from the given number on, until they have come to so many rounds. */
export async function runManyWorlds(first: number, rounds: number): Promise<Tally> {
  const tally: Tally = { worlds: 0, rounds: 0, states: {}, deaths: 0, buffered: 0, adversary: 0 };
  for (let number = first; tally.rounds < rounds; number += 2) {
    const world = await checkedWorld(drawnWorld(String(number)));
    tally.worlds++;
    for (const [, deaths] of world.deaths) tally.deaths += deaths;
    tally.buffered += world.campaigns().filter(({ plan }) => plan.recipe.name === 'fedbuff').length;
    const planOf = new Map(world.campaigns().map(({ id, plan }) => [id, plan]));
    for (const { state, number: roundNumber, campaignId } of world.disk.records.rowsOf(Round)) {
      tally.rounds++;
      const objective = planOf.get(campaignId)?.objective;
      if (state === 'finished' && objective && partOfRound(objective, roundNumber) === 'adversary') tally.adversary++;
      tally.states[state] = (tally.states[state] ?? 0) + 1;
    }
  }
  return tally;
}

/** The worlds must be rough enough to mean something, and the rules good enough to get through them. */
export function expectTelling({ rounds, states, deaths, buffered, adversary, worlds }: Tally): void {
  expect(rounds).toBeGreaterThanOrEqual(ROUNDS_PER_HALF);
  expect(states['finished']).toBeGreaterThan(0.6 * rounds);
  expect(states['failed']).toBeGreaterThan(0.02 * rounds);
  expect(states['cancelled']).toBeGreaterThan(5);
  expect(deaths).toBeGreaterThan(worlds);
  expect(buffered).toBeGreaterThan(0.1 * worlds);
  expect(adversary).toBeGreaterThan(0.03 * rounds);
}
