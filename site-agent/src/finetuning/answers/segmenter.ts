import type { PatchSize } from '../../training/patch-batch.js';

/** The part of a learner that inference needs: forward only, after the sigmoid. */
export interface Segmenter {
  predict(input: Float32Array, patches: number, sizeVoxels: PatchSize): Float32Array;
}
