import { gridAtSpacing } from '../../preprocessing/resampling/resample-volume.js';
import { classMapOf } from '../../../../test/fixtures/class-map-of.js';
import { onOwnGrid } from '../cases/prepare-image.js';
import { segmentVolume } from './segment-volume.js';
import { planWindows, predictVolume } from './sliding-window.js';
import { USUAL_WINDOWS } from './window-plan.js';

const CLASSES = 3;
const [size, patch] = [[10, 9, 12] as const, [8, 8, 8] as const];
const intensities = Float32Array.from({ length: 10 * 9 * 12 }, (_, index) => (Math.sin(index / 5) + 1) / 2);
/** Answers that depend on the voxel, its place in the window and the class. */
const segmenter = {
  predict: (input: Float32Array) =>
    Float32Array.from({ length: input.length * CLASSES }, (_, index) => {
      const voxel = Math.floor(index / CLASSES);
      return 0.5 + 0.5 * Math.sin((input[voxel] ?? 0) * 9 + voxel / 300 + (index % CLASSES));
    }),
};
const plan = { patchSizeVoxels: patch, classes: CLASSES, windows: USUAL_WINDOWS, mostPassBytes: 2 ** 30 };

describe('segmentation of a volume', () => {
  const image = { sizeVoxels: size, intensities, fromOwn: undefined };

  it('is the same to the bit for any number of passes', async () => {
    const results = await Promise.all(
      [4 * intensities.length, 8 * intensities.length, 1, 2 ** 30].map(async (mostPassBytes) => {
        const seen: Float32Array[] = [];
        const map = await segmentVolume(segmenter, image, { ...plan, mostPassBytes }, (_, each) => void seen.push(each));
        return { map, seen };
      }),
    );
    for (const each of results) expect(each).toEqual(results[0]);
    expect(new Set(results[0]?.map)).toEqual(new Set([0, 1, 2, 3]));
  });

  it('tells how far it is over all passes', async () => {
    const told: number[] = [];
    const pause = (share: number): Promise<void> => Promise.resolve(void told.push(share));
    await segmentVolume(segmenter, image, { ...plan, mostPassBytes: 8 * intensities.length, pause });
    const windows = planWindows(size, patch).length;
    expect(told).toHaveLength(2 * windows);
    expect(told[windows - 1]).toBeCloseTo(2 / 3, 12);
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  it('takes the most probable class above one half, as a look at all at once does, also on another grid', async () => {
    const own = {
      sizeVoxels: [7, 9, 12] as const,
      spacingMm: [2, 2, 2] as const,
      affine: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1],
    };
    const { from, sizeVoxels } = gridAtSpacing(own, [1.4, 2, 2]);
    expect(sizeVoxels).toEqual([...size]);
    const range = { outputs: CLASSES, from: 0, to: CLASSES };
    const all = await predictVolume(image, { patch, range }, (input) => segmenter.predict(input));
    const resampled = { ...image, fromOwn: from };
    expect(await segmentVolume(segmenter, image, plan)).toEqual(classMapOf(all, CLASSES));
    expect(await segmentVolume(segmenter, resampled, plan)).toEqual(classMapOf(onOwnGrid(all, from, CLASSES), CLASSES));
  });
});
