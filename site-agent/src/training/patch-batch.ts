/** Sides of a patch in voxels along x, y, z of the RAS+ oriented volume. */
export type PatchSize = readonly [x: number, y: number, z: number];

/**
 * A batch of network inputs and what the network should answer.
 * Layout [patch, x, y, z, channel], row-major (channel fastest, then z): NDHWC with D = x, H = y, W = z.
 */
export interface PatchBatch {
  readonly patches: number;
  readonly sizeVoxels: PatchSize;
  /** patches · x · y · z · input channels. */
  readonly input: Float32Array;
  /** patches · x · y · z · outputs. */
  readonly target: Float32Array;
  /** What heads are to tell, where a source knows it. */
  readonly labels?: PatchLabels | undefined;
}

/** Class numbers, one for each patch of a batch. */
export interface PatchLabels {
  /** As in {@link MODALITY_CLASSES}. */
  readonly modality: readonly number[];
  /** Position of the crop's size in the plan's list, 0 for the largest; 0 where there is one size. */
  readonly scale: readonly number[];
}

/** The modalities in the order of their class numbers. */
export const MODALITY_CLASSES = ['CT', 'MR'] as const;

/** Delivers the batch of each step; the content depends on the source's seed and the step alone, never on timing. */
export interface BatchSource {
  /** Its arrays may be filled anew once the next batch is asked for, or the source is closed. */
  batch(step: number): Promise<PatchBatch>;
  close(): Promise<void>;
}
