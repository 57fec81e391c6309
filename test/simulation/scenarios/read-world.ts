import type { Digest } from '@consilium/shared/kernel';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { World } from '../world/world.js';

/** The newest version of a world with one campaign. */
export function finalDigest({ disk: { records } }: World): Digest {
  return records.rowsOf(ModelVersion).reduce((a, b) => (a.number > b.number ? a : b)).digest;
}

/** In the order in which they were planned. */
export function roundsOf({ disk: { records } }: World): Round[] {
  return records.rowsOf(Round).sort((a, b) => a.number - b.number || a.attempt - b.attempt);
}

/** How a site's part in each round ended, by round. */
export function partsOf(world: World, siteName: string): { state: string; code: string | null }[] {
  const parts = world.disk.records.rowsOf(Participation).filter((part) => part.siteName === siteName);
  return roundsOf(world).flatMap(({ id }) =>
    parts.filter(({ roundId }) => roundId === id).map(({ state, code }) => ({ state, code })),
  );
}

/** Names of the sites whose updates count in each round, by round, in the order in which they came. */
export function countedIn(world: World): string[][] {
  const { records } = world.disk;
  const siteOf = new Map(records.rowsOf(Participation).map(({ id, siteName }) => [id, siteName]));
  const updates = records.rowsOf(Update).sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  return roundsOf(world).map(({ id }) =>
    updates.filter(({ foldRoundId }) => foldRoundId === id).map(({ participationId }) => siteOf.get(participationId) ?? ''),
  );
}

/** Steps that a site's trainer has really computed, all rounds together. */
export function stepsOf(world: World, siteName: string): number {
  const parts = world.disk.records.rowsOf(Participation).filter((part) => part.siteName === siteName);
  return parts.reduce((sum, { id }) => sum + (world.computedSteps.get(id) ?? 0), 0);
}
