import type { ProbeScore } from '@consilium/shared/wire';
import type { PatchBatch, PatchSize } from './patch-batch.js';
import { letEventsIn, obeyStop } from './train.js';

/** The part of a learner that scoring needs: forward only, after the sigmoid. */
export interface Restorer {
  predict(input: Float32Array, patches: number, sizeVoxels: PatchSize): Float32Array;
}

/**
 * Restoration of the frozen probe: mean squared error over all voxels of all batches, next to the error of the best
 * constant (the targets' variance). Sums are in 64 bits. A probe of one single grey value has skill 0.
 */
export async function scoreProbe(
  restorer: Restorer,
  probe: readonly PatchBatch[],
  stop: AbortSignal,
  onBatch?: (batches: number) => void,
): Promise<ProbeScore> {
  const sums = { squaredError: 0, target: 0, targetSquared: 0, voxels: 0, patches: 0 };
  for (const [index, batch] of probe.entries()) {
    obeyStop(stop);
    const restored = restorer.predict(batch.input, batch.patches, batch.sizeVoxels);
    addBatch(sums, restored, batch);
    onBatch?.(index + 1);
    await letEventsIn();
  }
  const mean = sums.target / sums.voxels;
  const constantError = Math.max(0, sums.targetSquared / sums.voxels - mean * mean);
  const restorationError = sums.squaredError / sums.voxels;
  const skill = constantError > 0 ? 1 - restorationError / constantError : 0;
  return { restorationError, constantError, skill, patches: sums.patches };
}

function addBatch(
  sums: { squaredError: number; target: number; targetSquared: number; voxels: number; patches: number },
  restored: Float32Array,
  { target, patches }: PatchBatch,
): void {
  for (let i = 0; i < target.length; i++) {
    const wanted = target[i] as number;
    const error = (restored[i] as number) - wanted;
    sums.squaredError += error * error;
    sums.target += wanted;
    sums.targetSquared += wanted * wanted;
  }
  sums.voxels += target.length;
  sums.patches += patches;
}
