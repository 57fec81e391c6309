import { type GroupScore, type ProbeScore, VOXEL_TREATMENTS } from '@consilium/shared/wire';
import type { Modality } from '../volumes/volume.js';
import { voxelsOf } from './batch-passes.js';
import type { PatchSize, ProbeBatch } from './patch-batch.js';
import { letEventsIn, obeyStop } from './train.js';

/** The part of a learner that scoring needs: forward only, after the sigmoid. */
export interface Restorer {
  predict(input: Float32Array, patches: number, sizeVoxels: PatchSize): Float32Array;
}

/**
 * Restoration of a probe: mean squared error over all voxels of all batches, next to the error of the best constant (the
 * targets' variance), and the same for the voxels of each modality and each treatment, with the best constant of just these.
 * Sums are in 64 bits. Voxels of one single grey value have skill 0.
 */
export function scoreProbe(
  restorer: Restorer,
  probe: Iterable<ProbeBatch>,
  stop: AbortSignal,
  onBatch?: (batches: number) => void,
): Promise<ProbeScore> {
  const restore = ({ input, patches, sizeVoxels }: ProbeBatch): Float32Array => restorer.predict(input, patches, sizeVoxels);
  return scoreRestored(restore, probe, stop, onBatch);
}

/** As {@link scoreProbe}, of what `restore` gives for each batch, laid out as the batch's targets. */
export async function scoreRestored(
  restore: (batch: ProbeBatch) => Float32Array,
  probe: Iterable<ProbeBatch>,
  stop: AbortSignal,
  onBatch?: (batches: number) => void,
): Promise<ProbeScore> {
  const sums = new RestorationSums();
  let [batches, patches] = [0, 0];
  for (const batch of probe) {
    obeyStop(stop);
    sums.add(restore(batch), batch);
    patches += batch.patches;
    onBatch?.(++batches);
    await letEventsIn();
  }
  return { ...figuresOf(sums.over(MODALITIES, TREATMENTS)), patches, groups: sums.groups() };
}

const MODALITIES: readonly Modality[] = ['CT', 'MR'];
const TREATMENTS: readonly number[] = VOXEL_TREATMENTS.map((_, treatment) => treatment);

/** Of some voxels. */
interface Sums {
  voxels: number;
  squaredError: number;
  target: number;
  targetSquared: number;
}

const NOTHING: Readonly<Sums> = { voxels: 0, squaredError: 0, target: 0, targetSquared: 0 };

/** Sums for each modality and treatment; larger groups are sums of these. */
class RestorationSums {
  private readonly cells = new Map(MODALITIES.map((modality) => [modality, TREATMENTS.map((): Sums => ({ ...NOTHING }))]));

  add(restored: Float32Array, { target, treatments, modalities, sizeVoxels }: ProbeBatch): void {
    const voxels = voxelsOf(sizeVoxels);
    for (const [patch, modality] of modalities.entries()) {
      const cells = this.cells.get(modality) as Sums[];
      for (let i = patch * voxels; i < (patch + 1) * voxels; i++) {
        const sums = cells[treatments[i] as number] as Sums;
        const wanted = target[i] as number;
        const error = (restored[i] as number) - wanted;
        sums.voxels += 1;
        sums.squaredError += error * error;
        sums.target += wanted;
        sums.targetSquared += wanted * wanted;
      }
    }
  }

  over(modalities: readonly Modality[], treatments: readonly number[]): Sums {
    const sums = { ...NOTHING };
    for (const modality of modalities) {
      for (const treatment of treatments) {
        const cell = this.cells.get(modality)?.[treatment] ?? NOTHING;
        for (const key of Object.keys(sums) as (keyof Sums)[]) sums[key] += cell[key];
      }
    }
    return sums;
  }

  groups(): GroupScore[] {
    const all = this.over(MODALITIES, TREATMENTS).voxels;
    const group = (modality: Modality | undefined, treatment: number | undefined): GroupScore[] => {
      const sums = this.over(
        modality === undefined ? MODALITIES : [modality],
        treatment === undefined ? TREATMENTS : [treatment],
      );
      if (sums.voxels === 0) return [];
      return [
        {
          ...(modality === undefined ? {} : { modality }),
          ...(treatment === undefined ? {} : { treatment: VOXEL_TREATMENTS[treatment] }),
          share: sums.voxels / all,
          ...figuresOf(sums),
        },
      ];
    };
    return [
      ...MODALITIES.flatMap((modality) => group(modality, undefined)),
      ...TREATMENTS.flatMap((treatment) => group(undefined, treatment)),
      ...MODALITIES.flatMap((modality) => TREATMENTS.flatMap((treatment) => group(modality, treatment))),
    ];
  }
}

function figuresOf({ voxels, squaredError, target, targetSquared }: Sums): Omit<ProbeScore, 'patches' | 'groups'> {
  const mean = target / voxels;
  const constantError = Math.max(0, targetSquared / voxels - mean * mean);
  const restorationError = squaredError / voxels;
  return { restorationError, constantError, skill: constantError > 0 ? 1 - restorationError / constantError : 0 };
}
