import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { isRoundOpen } from '../../../coordinator/src/rounds/round-states.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { RowChange } from '../records/memory-database.js';
import type { Entity, Row } from '../records/memory-table.js';
import type { Checker } from './checker.js';

/**
 * Looked at in every commit, whichever run of the coordinator made it: what has been decided stays decided, so that a restart
 * changes nothing.
 */
export const historyStands: Checker = {
  promise: 'what has ended or was made is never changed again, by no run of the coordinator',
  watch: ({ disk }) => {
    let wrong: string | undefined;
    disk.records.onCommit((changes) => {
      const failed = failedIn(changes);
      for (const change of changes) wrong ??= rewritten(change, failed);
    });
    return () => wrong;
  },
};

/** Rounds that failed with this commit: what was delivered for them waits for the next one. */
function failedIn(changes: readonly RowChange[]): ReadonlySet<string> {
  const rounds = changes.flatMap(({ entity, after }) =>
    entity === Round && after !== undefined ? [after as unknown as Round] : [],
  );
  return new Set(rounds.filter(({ state }) => state === 'failed').map(({ id }) => id));
}

function rewritten({ entity, before, after }: RowChange, failed: ReadonlySet<string>): string | undefined {
  if (before === undefined || !HISTORY.has(entity)) return undefined;
  // That its bytes go is said once, and never taken back; all else of the row stays.
  if (isDropped(before) && !isDropped(after)) return `a row of ${entity.name} lost the word that its bytes were dropped`;
  const isChanged = JSON.stringify({ ...before, droppedAtMs: null }) !== JSON.stringify(after && { ...after, droppedAtMs: null });
  if (entity === ModelVersion) return isChanged ? 'a model version was changed' : undefined;
  if (after === undefined) return `a row of ${entity.name} was removed`;
  if (entity === Round && isChanged) {
    const { state, number } = before as unknown as Round;
    return isRoundOpen(state) ? undefined : `round ${number} was changed after it had ${state}`;
  }
  if (entity === Participation) {
    const [from, to] = [before, after] as unknown as [Participation, Participation];
    const isBackwards = BEGINNINGS.indexOf(to.state) >= 0 && BEGINNINGS.indexOf(to.state) < rankOf(from.state);
    return isBackwards ? `the part of ${from.siteName} went back from ${from.state} to ${to.state}` : undefined;
  }
  if (entity !== Update) return undefined;
  const [from, to] = [before, after] as unknown as [Update, Update];
  if (from.digest !== to.digest) return 'an accepted update was replaced';
  // Screening takes an update out of a round, and an operator may put it into a later one; a failed round lets go of its updates.
  const isMoved = from.foldRoundId !== null && from.foldRoundId !== to.foldRoundId;
  const isLetGo = to.foldRoundId === null && from.foldRoundId !== null && failed.has(from.foldRoundId);
  return isMoved && !isLetGo && to.state === from.state ? 'an update was moved to another round' : undefined;
}

function isDropped(row: Row | undefined): boolean {
  return typeof row?.['droppedAtMs'] === 'number';
}

const HISTORY: ReadonlySet<Entity> = new Set<Entity>([ModelVersion, Round, Participation, Update]);

const BEGINNINGS: readonly string[] = ['invited', 'accepted', 'training', 'delivering'];

function rankOf(state: string): number {
  const index = BEGINNINGS.indexOf(state);
  return index < 0 ? BEGINNINGS.length : index;
}
