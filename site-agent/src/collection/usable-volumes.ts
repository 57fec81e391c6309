import { resolve } from 'node:path';
import type { Modality } from '../volumes/volume.js';
import type { VolumeSource } from '../volumes/volume-source.js';
import type { PreparedStatements } from './prepared-statements.js';
import { type FileTable, rangeBelow } from './file-table.js';
import type { FileStamp, IndexedVolume } from '../volumes/indexed-volume.js';
import { entryOf, type ScanRow, type VolumeRow, volumeOf } from './scan-rows.js';

const USABLE = `
  FROM collection_volume v
  JOIN collection_scan s ON s.id = v.scan
  JOIN collection_check c ON c.scan = s.id
  WHERE s.status <> 'refused' AND c.status <> 'refused' AND s.forgotten = 0
  AND c.unused_because IS NULL AND v.unused_because IS NULL AND v.modality IS NOT NULL
  AND (s.patient IS NULL OR s.patient NOT IN (SELECT hash FROM collection_forgotten))`;
/** Of volumes with equal bytes one is used: the first by path. */
const FIRST_OF_EQUALS = 's.path, s.part, s.stack, s.id, v.frame';

interface Place {
  readonly clause: string;
  readonly values: readonly string[];
}

/** Holds for scans of which every file is, or lies in, one of the folders; for all where none are named. */
function inFolders(folders: readonly string[] | undefined): Place {
  if (folders === undefined) return { clause: '', values: [] };
  const ranges = folders.map((folder) => resolve(folder)).map((folder) => [folder, ...rangeBelow(folder)]);
  const isInside = ranges.map(() => 'f.path = ? OR (f.path >= ? AND f.path < ?)').join(' OR ') || 'FALSE';
  const outside = `SELECT 1 FROM collection_file f WHERE f.owner = s.owner AND f.part = s.part AND NOT (${isInside})`;
  return { clause: `AND NOT EXISTS (${outside})`, values: ranges.flat() };
}

/** Volumes that training uses, each set of voxels once. */
export class UsableVolumes {
  constructor(
    private readonly database: PreparedStatements,
    private readonly files: FileTable,
  ) {}

  count(folders?: readonly string[]): number {
    const { clause, values } = inFolders(folders);
    const counted = this.database.prepare(`SELECT COUNT(DISTINCT v.digest) AS count ${USABLE} ${clause}`).get(...values);
    return (counted as { count: number }).count;
  }

  countByModality(): Record<Modality, number> {
    const rows = this.database
      .prepare(`SELECT v.modality, COUNT(DISTINCT v.digest) AS count ${USABLE} GROUP BY v.modality`)
      .all() as { modality: Modality; count: number }[];
    const count = (modality: Modality): number => rows.find((row) => row.modality === modality)?.count ?? 0;
    return { CT: count('CT'), MR: count('MR') };
  }

  /** By digest, so that the order does not depend on where they lie. */
  list(folders?: readonly string[]): IndexedVolume[] {
    const { clause, values } = inFolders(folders);
    const rows = this.database
      .prepare(`SELECT s.id, v.frame ${USABLE} ${clause} ORDER BY v.digest, ${FIRST_OF_EQUALS}`)
      .all(...values) as { id: number; frame: number }[];
    const volumes: IndexedVolume[] = [];
    for (const { id, frame } of rows) {
      const volume = this.read(id, frame);
      if (volume.digest !== volumes.at(-1)?.digest) volumes.push(volume);
    }
    return volumes;
  }

  /** For each digest that several usable volumes share, the scan and frame that is used. */
  firstOfEquals(): Map<string, { readonly id: number; readonly frame: number; readonly path: string }> {
    const rows = this.database
      .prepare(
        `SELECT v.digest, s.id, v.frame, s.path ${USABLE}
         AND v.digest IN (SELECT digest FROM collection_volume GROUP BY digest HAVING COUNT(*) > 1)
         ORDER BY ${FIRST_OF_EQUALS}`,
      )
      .all() as { digest: string; id: number; frame: number; path: string }[];
    const first = new Map<string, { id: number; frame: number; path: string }>();
    for (const { digest, ...place } of rows) if (!first.has(digest)) first.set(digest, place);
    return first;
  }

  private read(id: number, frame: number): IndexedVolume {
    const entry = entryOf(this.database.prepare('SELECT * FROM collection_scan WHERE id = ?').get(id) as ScanRow);
    const volume = volumeOf(
      this.database
        .prepare('SELECT *, NULL AS thumbnail FROM collection_volume WHERE scan = ? AND frame = ?')
        .get(id, frame) as VolumeRow,
    );
    const { digest, statistics, repairedVoxels, modality } = volume;
    const { geometry, bodyPart, patient } = entry;
    if (geometry === undefined || modality === undefined) throw new TypeError('a usable volume without geometry or modality');
    const files = this.files.of(entry.owner, entry.part).map(({ path, bytes, modifiedMs }) => ({ path, bytes, modifiedMs }));
    const { sizeVoxels, spacingMm } = geometry;
    const source = sourceOf(entry, frame, files);
    return { digest, source, files, modality, sizeVoxels, spacingMm, bodyPart, patient, statistics, repairedVoxels };
  }
}

/** How to read one frame of a scan again. */
export function sourceOf(
  { kind, path, stack }: { readonly kind: 'nifti' | 'dicom'; readonly path: string; readonly stack: number },
  frame: number,
  files: readonly FileStamp[],
): VolumeSource {
  return kind === 'nifti' ? { kind, path, frame } : { kind, files: files.map((file) => file.path), stack, frame };
}
