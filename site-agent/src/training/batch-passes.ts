import type { PatchSize } from './patch-batch.js';

/** Neighbouring examples of a batch that are computed together. */
export interface BatchPass {
  readonly first: number;
  readonly count: number;
}

export interface PassLimits {
  /** False when examples share statistics (batch norm): then only `patchesPerPass` divides a batch. */
  readonly examplesIndependent: boolean;
  readonly voxelsPerPass: number;
  /** Divides every batch, whatever the norm: gradient accumulation. */
  readonly patchesPerPass?: number | undefined;
}

/**
 * The passes that a batch is computed in. Where examples do not mix, a pass takes at most as many voxels as its limit says:
 * peak memory then does not grow with the batch, and small patches still fill the machine.
 */
export function passesOf(patches: number, size: PatchSize, limits: PassLimits): BatchPass[] {
  const fitting = limits.examplesIndependent ? Math.max(1, Math.floor(limits.voxelsPerPass / voxelsOf(size))) : patches;
  const most = Math.min(fitting, limits.patchesPerPass ?? patches);
  return Array.from({ length: Math.ceil(patches / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, patches - i * most),
  }));
}

export function voxelsOf(size: PatchSize): number {
  return size[0] * size[1] * size[2];
}
