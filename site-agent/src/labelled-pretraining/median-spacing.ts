import { choiceOf, findCaseScan } from '../finetuning/cases/case-scan.js';
import type { SegmentationCase } from '../finetuning/tasks/segmentation-task.js';
import { readVolume } from '../volumes/read-volume.js';
import type { Triple } from '../volumes/volume.js';

/** The median of the scans' spacings along each axis of the oriented volume: what Med3D resamples a collection to. */
export async function medianSpacing(cases: readonly SegmentationCase[]): Promise<Triple> {
  const spacings: Triple[] = [];
  for (const entry of cases) {
    const { source } = await findCaseScan(choiceOf(entry));
    spacings.push((await readVolume(source)).spacingMm);
  }
  const along = (axis: 0 | 1 | 2): number => median(spacings.map((spacing) => spacing[axis]));
  return [along(0), along(1), along(2)];
}

/** Of two in the middle the lower one: a spacing that a scan really has. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}
