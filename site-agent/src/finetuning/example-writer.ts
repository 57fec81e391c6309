import { voxelsOf } from '../training/batch-passes.js';
import type { PatchBatch, PatchSize } from '../training/patch-batch.js';

/** Where one example of a batch lies. */
export interface ExamplePlace {
  readonly input: Float32Array;
  readonly target: Float32Array;
}

/** Makes the examples of a training one by one. Which one depends on its number alone, whoever makes it and when. */
export interface ExampleWriter {
  readonly targetsPerExample: number;
  write(k: number, place: ExamplePlace): void;
}

/** The batch of a step, made here and now. */
export function makeBatch(writer: ExampleWriter, step: number, batchSize: number, sizeVoxels: PatchSize): PatchBatch {
  const [inputs, targets] = [voxelsOf(sizeVoxels), writer.targetsPerExample];
  const batch = {
    patches: batchSize,
    sizeVoxels,
    input: new Float32Array(batchSize * inputs),
    target: new Float32Array(batchSize * targets),
  };
  for (let example = 0; example < batchSize; example++) {
    writer.write(step * batchSize + example, {
      input: batch.input.subarray(example * inputs, (example + 1) * inputs),
      target: batch.target.subarray(example * targets, (example + 1) * targets),
    });
  }
  return batch;
}
