import { algorithmOf, digestOfBytes } from '@consilium/shared/kernel';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import type { Row } from '../records/memory-table.js';
import type { Checker } from './checker.js';

/** Looked at in the moment of each commit: a crash right after it must find the bytes. */
export const blobsExist: Checker = {
  promise: 'when a row is committed, the bytes that it names are on disk, unless it says that they were dropped',
  watch: ({ disk }) => {
    let wrong: string | undefined;
    disk.records.onCommit((changes) => {
      for (const { entity, after } of changes) {
        if (after === undefined || (entity !== ModelVersion && entity !== Update)) continue;
        wrong ??= missingBytes(after, disk.blobs);
      }
    });
    return () => wrong;
  },
};

function missingBytes(row: Row, blobs: ReadonlyMap<string, Buffer>): string | undefined {
  const { digest, bytes, stateDigest, droppedAtMs } = row as unknown as ModelVersion;
  if (droppedAtMs !== null) return undefined;
  if (typeof stateDigest === 'string' && !blobs.has(stateDigest)) return `the state of ${digest} was not there at the commit`;
  const content = blobs.get(digest);
  if (content === undefined) return `the bytes of ${digest} were not there at the commit`;
  if (content.length !== bytes) return `${digest} has ${content.length} bytes, not ${bytes}`;
  return digestOfBytes(content, algorithmOf(digest)) === digest ? undefined : `the bytes of ${digest} have another digest`;
}
