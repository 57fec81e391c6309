import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { Checker } from './checker.js';

/** Looked at in the moment in which a file goes. */
export const neededBytesStay: Checker = {
  promise: 'no file goes that a row needs',
  watch: ({ disk }) => {
    let wrong: string | undefined;
    disk.onRemoval((digest) => {
      const needs = (row: { droppedAtMs: number | null; digest: string; stateDigest?: string | null }): boolean =>
        row.droppedAtMs === null && (row.digest === digest || row.stateDigest === digest);
      if (disk.records.rowsOf(Update).some(needs)) wrong ??= `${digest} of an update is gone`;
      if (disk.records.rowsOf(ModelVersion).some(needs)) wrong ??= `${digest} of a version is gone`;
    });
    return () => wrong;
  },
};
