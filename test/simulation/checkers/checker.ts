import { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { World } from '../world/world.js';

/** Watches a world for one promise. */
export interface Checker {
  readonly promise: string;
  /** Called before the world runs; what it returns is asked when the world is over: what was broken, or undefined. */
  readonly watch: (world: World) => () => string | undefined;
}

/** What the coordinator's records say when a world is over. */
export interface FinalRecords {
  readonly campaigns: readonly Campaign[];
  readonly rounds: readonly Round[];
  readonly participations: readonly Participation[];
  readonly updates: readonly Update[];
  readonly versions: readonly ModelVersion[];
}

/** A checker that looks at the end of a world only. */
export function atTheEnd(promise: string, check: (records: FinalRecords, world: World) => string | undefined): Checker {
  return { promise, watch: (world) => () => check(finalRecords(world), world) };
}

/** The first thing that is wrong with any of the items. */
export function firstWrong<T>(items: Iterable<T>, check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const wrong = check(item);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** An update that counts, if its round comes to be folded. */
export function isCounting({ state }: Update): boolean {
  return state === 'accepted' || state === 'released';
}

function finalRecords({ disk: { records } }: World): FinalRecords {
  return {
    campaigns: records.rowsOf(Campaign),
    rounds: records.rowsOf(Round),
    participations: records.rowsOf(Participation),
    updates: records.rowsOf(Update),
    versions: records.rowsOf(ModelVersion),
  };
}
