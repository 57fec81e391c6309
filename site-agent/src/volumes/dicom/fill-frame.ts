import { rasLayout } from '../orientation.js';
import { spreadVoxels } from '../spread-voxels.js';
import { unreadable } from '../volume-fault.js';
import type { DicomFacts } from './dicom-facts.js';
import { readDicomPlanes } from './read-dicom-planes.js';
import { rescalePlane, ValueRange } from './rescale-plane.js';
import type { PlacedPlane, StackGrid } from './series-stack.js';
import type { StoredPlane } from './stored-plane.js';

/** Planes decoded together: sixteen floats fill a cache line where the slices become the fastest axis. */
const PLANES_AT_ONCE = 16;
const LARGEST_BATCH_VOXELS = 1 << 23;
/** Planes a power of two apart would share the same few places in the cache. */
const PLANE_PADDING = 16;

/** The values of a frame in RAS order, and their range where planes have padding. */
export interface FilledFrame {
  readonly voxels: Float32Array;
  readonly range: ValueRange;
}

/**
 * Decodes the planes of one frame, a few at a time, into an array in RAS order. The array is made once the first planes have
 * proved that the files hold what their headers say. VOLUME_UNREADABLE when a plane does not decode.
 */
export async function fillFrame(planes: readonly PlacedPlane[], grid: StackGrid): Promise<FilledFrame> {
  const { orientation } = grid;
  const [columns, rows, slices] = grid.sizeVoxels;
  const planeVoxels = columns * rows;
  const batch = Math.max(1, Math.min(PLANES_AT_ONCE, slices, Math.floor(LARGEST_BATCH_VOXELS / planeVoxels)));
  const padded = planeVoxels + PLANE_PADDING;
  const { base, steps } = rasLayout(grid.sizeVoxels, orientation);
  const inner = orientation.rasAxis.indexOf(2) as 0 | 1 | 2;
  const range = new ValueRange();
  let reals: Float32Array | undefined;
  let voxels: Float32Array | undefined;
  for (let start = 0; start < slices; start += batch) {
    const part = planes.slice(start, start + batch);
    const stored = await decodePlanes(part, columns, rows);
    reals ??= new Float32Array(padded * batch);
    voxels ??= new Float32Array(planeVoxels * slices);
    for (const [index, placed] of part.entries())
      rescalePlane(reals, index * padded, stored[index] as StoredPlane, placed, range);
    const counts = [columns, rows, part.length] as const;
    const writeBase = base + start * steps[2];
    spreadVoxels(reals, voxels, { counts, readSteps: [1, columns, padded], writeBase, writeSteps: steps, inner });
  }
  return { voxels: voxels ?? new Float32Array(0), range };
}

/** The stored values of planes, in their order; planes of one file are read together. */
async function decodePlanes(planes: readonly PlacedPlane[], columns: number, rows: number): Promise<readonly StoredPlane[]> {
  const byFile = new Map<DicomFacts, PlacedPlane[]>();
  for (const placed of planes) byFile.set(placed.facts, [...(byFile.get(placed.facts) ?? []), placed]);
  const decoded = new Map<PlacedPlane, StoredPlane>();
  await Promise.all(
    [...byFile.entries()].map(async ([facts, ofFile]) => {
      const stored = await readDicomPlanes(
        facts,
        ofFile.map(({ plane }) => plane),
      );
      for (const [index, placed] of ofFile.entries()) {
        const plane = stored[index];
        if (plane !== undefined) decoded.set(placed, plane);
      }
    }),
  );
  return planes.map((placed) => {
    const plane = decoded.get(placed);
    if (plane?.columns !== columns || plane.rows !== rows || plane.values.length !== columns * rows) {
      throw unreadable('the pixel data is not of the size that the header states');
    }
    return plane;
  });
}
