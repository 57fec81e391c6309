import { existsSync } from 'node:fs';
import { CollectionIndex } from './collection-index.js';
import type { IndexedVolume } from '../volumes/indexed-volume.js';

/**
 * For volumes whose files hold other bytes than were indexed: the next indexing reads these files anew, even where their size and
 * time stayed as they were. Files that are not there (a disk may be away) are left to that indexing.
 */
export function doubtVolumes(databaseFile: string, volumes: readonly Pick<IndexedVolume, 'digest' | 'files'>[]): void {
  const there = volumes.filter(({ files }) => files.every(({ path }) => existsSync(path)));
  if (there.length === 0) return;
  const index = CollectionIndex.open(databaseFile);
  try {
    index.change(() => there.forEach(({ digest }) => index.doubt(digest)));
  } finally {
    index.close();
  }
}
