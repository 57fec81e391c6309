import { digestOfJson } from '@consilium/shared/kernel';
import type { FileStamp } from '../volumes/indexed-volume.js';

/** Names what the voxels depend on: the files with their stamps, which volume of them, and the modality said of them. */
export function voxelsKeyOf(files: readonly FileStamp[], stack: number, notedModality: string | undefined): string {
  return digestOfJson({
    files: files
      .map(({ path, bytes, modifiedMs }) => [path, bytes, modifiedMs])
      .sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)),
    stack,
    notedModality,
  });
}
