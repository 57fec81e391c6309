import { classifierTrainingSchema } from './tasks/classification-task.js';
import { makeBatch } from './example-writer.js';
import { ImageSampler } from './image-sampler.js';
import type { LabelledImage } from './cases/load-images.js';

/** Ten images of class 0 and two of class 1; all voxels of an image are its number. */
const images: LabelledImage[] = Array.from({ length: 12 }, (_, index) => ({
  name: `${index}`,
  classIndex: index < 10 ? 0 : 1,
  modality: 'MR',
  sizeVoxels: [8, 8, 8],
  intensities: new Float32Array(512).fill(index / 16),
  start: [0, 0, 0],
}));

function sampler(changes: object = {}): ImageSampler {
  const training = classifierTrainingSchema.parse({ batchSize: 4, augmentation: 'none', ...changes });
  return new ImageSampler(images, { patchSizeVoxels: [8, 8, 8], training });
}

async function seen(of: ImageSampler, batches: number): Promise<{ image: number; target: number | undefined }[]> {
  const list = [];
  for (let step = 0; step < batches; step++) {
    const { input, target } = makeBatch(of, step, 4, [8, 8, 8]);
    for (let example = 0; example < 4; example++) {
      list.push({ image: Math.round((input[example * 512] ?? 0) * 16), target: target[example] });
    }
  }
  return list;
}

describe('image sampler', () => {
  it('draws each class as often, each image of a class as often as the others, with its class number as target', async () => {
    const drawn = await seen(sampler(), 10);
    expect(drawn.filter(({ target }) => target === 1)).toHaveLength(20);
    for (const image of [10, 11]) expect(drawn.filter((entry) => entry.image === image)).toHaveLength(10);
    for (let image = 0; image < 10; image++) expect(drawn.filter((entry) => entry.image === image)).toHaveLength(2);
    expect(drawn.every(({ image, target }) => target === (image < 10 ? 0 : 1))).toBe(true);
  });

  it('draws each image as often where classes are not balanced', async () => {
    const drawn = await seen(sampler({ balance: 'none' }), 3);
    expect(drawn.map(({ image }) => image).sort((a, b) => a - b)).toEqual(images.map((_, index) => index));
  });

  it('gives the same batch for the same step and seed, in whatever order it is asked', () => {
    const [forward, backward] = [sampler({ augmentation: 'full' }), sampler({ augmentation: 'full' })];
    const inputOf = (of: ImageSampler, step: number): Float32Array => makeBatch(of, step, 4, [8, 8, 8]).input;
    const late = inputOf(backward, 9);
    for (let step = 0; step < 9; step++) inputOf(forward, step);
    expect(inputOf(forward, 9)).toEqual(late);
    expect(inputOf(sampler({ augmentation: 'full', seed: 2 }), 9)).not.toEqual(late);
  });
});
