import { Random } from '@consilium/shared/kernel';
import type { PatchPlan } from '@consilium/shared/wire';
import type { PreparedReader } from '../preprocessing/patch-cache/open-prepared.js';
import { drawPatch } from '../preprocessing/draw-patch.js';
import { completePlan, type PreparedVoxels, prepareVolume } from '../preprocessing/prepare-volume.js';
import type { Modality, Triple } from '../volumes/volume.js';
import { readVolume } from '../volumes/read-volume.js';
import type { ProbedExample } from './modality-probe.js';

/** A volume whose modality is to be read. */
export interface VolumeToProbe {
  /** A NIfTI file. */
  readonly path: string;
  readonly modality: Modality;
  /** Of one patient, where that is known: both volumes then lie in one fold. */
  readonly group: string;
}

export interface DrawnPatches {
  readonly patch: Pick<PatchPlan, 'sizeVoxels' | 'minimumForeground' | 'preparation'>;
  readonly patchesPerVolume: number;
  readonly seed: string;
}

/** Features of clean patches, so many a volume, at seeded places. One volume is in memory at a time. */
export async function examplesOf(
  volumes: readonly VolumeToProbe[],
  { patch, patchesPerVolume, seed }: DrawnPatches,
  featuresOf: (patch: Float32Array) => Float32Array,
): Promise<ProbedExample[]> {
  const examples: ProbedExample[] = [];
  for (const [index, { path, modality, group }] of volumes.entries()) {
    const volume = await readVolume({ kind: 'nifti', path, frame: 0 });
    const prepared = prepareVolume(volume, modality, completePlan(patch.preparation));
    const random = new Random(`${seed}/${index}`);
    for (let count = 0; count < patchesPerVolume; count++) {
      const drawn = drawPatch(prepared, readerOf(prepared), patch.sizeVoxels, patch.minimumForeground, random);
      examples.push({ group, label: modality === 'MR' ? 1 : 0, features: featuresOf(drawn) });
    }
  }
  return examples;
}

/** Boxes of a volume that is in memory: nothing is known of a box before its voxels are looked at. */
function readerOf({ sizeVoxels: [, sy, sz], voxels }: PreparedVoxels): PreparedReader {
  return {
    readBox([x0, y0, z0]: Triple, [nx, ny, nz]: Triple, target = new Float32Array(nx * ny * nz)) {
      for (let x = 0; x < nx; x++) {
        for (let y = 0; y < ny; y++) {
          const from = ((x0 + x) * sy + y0 + y) * sz + z0;
          target.set(voxels.subarray(from, from + nz), (x * ny + y) * nz);
        }
      }
      return target;
    },
    foregroundBounds: (_start, [nx, ny, nz]) => ({ atLeast: 0, atMost: nx * ny * nz }),
    close: () => undefined,
  };
}
