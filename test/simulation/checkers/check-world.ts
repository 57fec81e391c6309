import type { WorldPlan } from '../world/world-plan.js';
import { World } from '../world/world.js';
import { acknowledgedWorkCounts } from './acknowledged-work-counts.js';
import { blobsExist } from './blobs-exist.js';
import type { Checker } from './checker.js';
import { countedOnce } from './counted-once.js';
import { exactSums } from './exact-sums.js';
import { freshBase } from './fresh-base.js';
import { headsAgree } from './heads-agree.js';
import { historyStands } from './history-stands.js';
import { keptState } from './kept-state.js';
import { neededBytesStay } from './needed-bytes-stay.js';
import { noBugShown } from './no-bug-shown.js';
import { noLostSteps } from './no-lost-steps.js';
import { nobodyLeftWaiting } from './nobody-left-waiting.js';
import { oneVersionPerRound } from './one-version-per-round.js';
import { partsInTurn } from './parts-in-turn.js';
import { privacyLedger } from './privacy-ledger.js';
import { quorumAndRequiredSites } from './quorum-and-required-sites.js';
import { roundsCloseInTime } from './rounds-close-in-time.js';
import { unbrokenAudit } from './unbroken-audit.js';
import { unbrokenLineage } from './unbroken-lineage.js';

/** What holds in every world; adding a promise = one file + one line. */
export const CHECKERS: readonly Checker[] = [
  oneVersionPerRound,
  countedOnce,
  exactSums,
  unbrokenLineage,
  unbrokenAudit,
  headsAgree,
  partsInTurn,
  blobsExist,
  neededBytesStay,
  historyStands,
  acknowledgedWorkCounts,
  quorumAndRequiredSites,
  roundsCloseInTime,
  nobodyLeftWaiting,
  freshBase,
  noLostSteps,
  keptState,
  privacyLedger,
  noBugShown,
];

/** No campaign of a world takes longer than this, so that whoever waits for ever is found. */
const LIMIT_MS = 48 * 3_600_000;

/** Thrown with the promise, and with the command that shows the very same world again. */
export class PromiseBroken extends Error {
  constructor(
    readonly promise: string,
    detail: string,
    seed: string,
  ) {
    super(
      `${promise}: ${detail}\nseed ${seed}; replay: CONSILIUM_SIMULATION_SEED=${seed} npm run jest -- test/simulation/rounds`,
    );
  }
}

/** Runs a world under every checker. Throws {@link PromiseBroken}. */
export async function checkedWorld(plan: WorldPlan, limitMs = LIMIT_MS): Promise<World> {
  const world = new World(plan);
  const judgements = CHECKERS.map(({ promise, watch }) => ({ promise, judge: watch(world) }));
  await world.run(limitMs).catch((error: unknown) => {
    throw new PromiseBroken('every campaign comes to an end', String(error), plan.seed);
  });
  for (const { promise, judge } of judgements) {
    const wrong = judge();
    if (wrong !== undefined) throw new PromiseBroken(promise, wrong, plan.seed);
  }
  return world;
}
