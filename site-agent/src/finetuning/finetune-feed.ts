/** What the batches of a fine-tuning are made of. */
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import type { BatchSource } from '../training/patch-batch.js';
import { type CaseHandle, openCase } from './cases/kept-case.js';
import type { LabelledImage } from './cases/load-images.js';
import { openExampleFeed } from './example-feed.js';
import type { ExampleWriter } from './example-writer.js';
import { ImageSampler, type ImageSamplerPlan } from './image-sampler.js';
import { PatchSampler, type SamplerPlan } from './patch-sampler.js';

/** What examples are made of: plain data and shared memory, so that threads can be given it. */
export type ExampleWork =
  | { readonly kind: 'patches'; readonly cases: readonly CaseHandle[]; readonly plan: SamplerPlan }
  | { readonly kind: 'images'; readonly images: readonly LabelledImage[]; readonly plan: ImageSamplerPlan };

/** Readers of files are opened as they are needed and stay open as long as the thread, or until `readers` is closed. */
export function openWriter(work: ExampleWork, readers = new ReaderPool()): ExampleWriter {
  if (work.kind === 'images') return new ImageSampler(work.images, work.plan);
  const cases = work.cases.map((handle) => openCase(handle, readers));
  return new PatchSampler(cases, work.plan);
}

/** @param threads of TensorFlow; all cores when left out. Close it when done. */
export function openFinetuneFeed(work: ExampleWork, threads: number | undefined): BatchSource {
  const { patchSizeVoxels: sizeVoxels, training } = work.plan;
  const entry = new URL('./example-thread.js', import.meta.url);
  const open = (readers: ReaderPool): ExampleWriter => openWriter(work, readers);
  return openExampleFeed({ entry, work, open, sizeVoxels, batchSize: training.batchSize }, threads);
}
