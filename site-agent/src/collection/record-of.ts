import { joinVerdicts, type ScanCheck, type ScanEntry } from './scan-entry.js';
import type { ScanRecord, VolumeRecord } from './scan-record.js';

/** What is known of a scan beyond itself. */
export interface ScanSurroundings {
  readonly optedOut: boolean;
  /** The path of another scan whose equal voxels training uses instead of these, if any. */
  readonly usedInstead: (digest: string, frame: number) => string | undefined;
}

/** Both passes' findings as one record. */
export function recordOf(entry: ScanEntry, check: ScanCheck | undefined, surroundings: ScanSurroundings): ScanRecord {
  const { code, status, reason, remedy } = joinVerdicts(entry, check);
  const { path, kind, series, geometry, bodyPart, patient, examination, files, bytes } = entry;
  const read = check?.volumes ?? [];
  return {
    ...{ path, kind, series, status, code, reason, remedy, geometry },
    modality: read[0]?.modality ?? entry.headerModality ?? entry.notedModality,
    ...{ bodyPart, patient, examination, files, bytes },
    checked: check !== undefined,
    unusedBecause: status === 'refused' ? undefined : unusedBecause(check, surroundings),
    privacyWarnings: [...new Set([...entry.warnings, ...(check?.warnings ?? [])])],
    volumes: read.map(({ frame, digest, statistics, repairedVoxels, thumbnail }): VolumeRecord => {
      return { frame, digest, statistics, repairedVoxels, thumbnail };
    }),
  };
}

function unusedBecause(check: ScanCheck | undefined, surroundings: ScanSurroundings): string | undefined {
  if (surroundings.optedOut) return 'opted out';
  if (check === undefined || check.unusedBecause !== undefined || check.status === 'refused') return check?.unusedBecause;
  const reasons = check.volumes.map(({ digest, frame, unusedBecause: unused, modality }) => {
    if (unused !== undefined) return unused;
    if (modality === undefined) return 'modality unknown';
    const other = surroundings.usedInstead(digest, frame);
    return other === undefined ? undefined : `the same voxels as ${other}; kept once`;
  });
  return reasons.includes(undefined) ? undefined : (reasons[0] ?? 'it holds no volume');
}

/** Whether training uses at least one of its volumes. */
export function isUsable({ status, checked, unusedBecause: unused }: ScanRecord): boolean {
  return status !== 'refused' && checked && unused === undefined;
}
