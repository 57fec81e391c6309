import type { RoundRecord, SimulatedWorld } from './simulated-world.js';

/** One property of a finished world; returns what is wrong, or undefined. */
type Checker = (world: SimulatedWorld) => string | undefined;

function eachRound(check: (round: RoundRecord, world: SimulatedWorld) => string | undefined): Checker {
  return (world) =>
    world.records.rounds
      .map((round) => {
        const wrong = check(round, world);
        return wrong === undefined ? undefined : `round ${round.number}: ${wrong}`;
      })
      .find((wrong) => wrong !== undefined);
}

export const CHECKERS: Readonly<Record<string, Checker>> = {
  'a round makes one version at most, and exactly one when it finished': eachRound((round, world) => {
    const made = world.records.versions.filter(({ roundNumber }) => roundNumber === round.number).length;
    return made === (round.state === 'finished' ? 1 : 0) ? undefined : `${round.state}, but made ${made} versions`;
  }),

  'no update is counted twice, and none that was not delivered': eachRound((round) => {
    const delivered = round.participations.filter(({ state }) => state === 'delivered').map(({ siteName }) => siteName);
    if (round.state !== 'finished') return round.foldedSites.length === 0 ? undefined : 'folded without finishing';
    return [...round.foldedSites].sort().join() === [...delivered].sort().join()
      ? undefined
      : `folded ${round.foldedSites.join()}, delivered ${delivered.join()}`;
  }),

  'a finished round had its quorum': eachRound((round, world) =>
    round.state === 'finished' && round.foldedSites.length < world.settings.quorum
      ? `only ${round.foldedSites.length} updates`
      : undefined,
  ),

  'a failed round lacked its quorum': eachRound((round, world) =>
    round.state === 'failed' && round.participations.filter(({ state }) => state === 'delivered').length >= world.settings.quorum
      ? 'failed in spite of its quorum'
      : undefined,
  ),

  'lineage is unbroken: each version follows the one before': (world) =>
    world.records.versions
      .slice(1)
      .map(({ number, parent }) => (parent === number - 1 ? undefined : `version ${number} follows ${String(parent)}`))
      .find((wrong) => wrong !== undefined),

  'nobody is left waiting: no participation is open after its round': eachRound((round) =>
    round.participations.some(({ state }) => ['invited', 'accepted', 'training', 'delivering'].includes(state))
      ? 'a participation is still open'
      : undefined,
  ),

  'a round ends at its deadline, crashes aside': eachRound((round, world) => {
    const slackMs = 1000 + world.crashes * 11_000;
    return (round.finishedMs ?? 0) <= round.deadlineAtMs + slackMs ? undefined : 'ended long after its deadline';
  }),

  'a slow site never stalls a round: quorum and grace close it': eachRound((round, world) => {
    const times = round.participations.flatMap(({ deliveredAtMs }) => deliveredAtMs ?? []).sort((a, b) => a - b);
    const quorumAtMs = times[world.settings.quorum - 1];
    if (quorumAtMs === undefined || round.finishedMs === null) return undefined;
    const slackMs = 1000 + world.crashes * 11_000;
    return round.finishedMs <= quorumAtMs + world.settings.graceMs + slackMs
      ? undefined
      : 'stayed open long after quorum and grace';
  }),
};

/** Runs every checker; throws naming the property, the seed and the command that replays this very world. */
export function checkWorld(world: SimulatedWorld, seed: string, checkers: Readonly<Record<string, Checker>> = CHECKERS): void {
  for (const [property, check] of Object.entries(checkers)) {
    const wrong = check(world);
    if (wrong !== undefined) {
      throw new Error(
        `${property}: ${wrong}\nseed ${seed}; replay: CONSILIUM_SIMULATION_SEED=${seed} npm run jest -- test/simulation`,
      );
    }
  }
}
