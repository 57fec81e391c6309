import { decode } from 'fast-png';
import type { Volume } from '../../volumes/volume.js';
import { drawOverlay, OVERLAY_COLOURS } from './draw-overlay.js';
import { shownRegion } from './shown-region.js';

const sizeVoxels = [40, 30, 10] as const;
const spacingMm = [1, 1, 4] as const;
const voxels = new Float32Array(40 * 30 * 10).fill(100);
const source = { sizeVoxels, affine: [], rasAxis: [0, 1, 2], flipped: [false, false, false], headerBytes: undefined } as const;
const volume: Volume = { sizeVoxels, spacingMm, affine: [], voxels, repairedVoxels: 0, source };

function box(from: readonly number[], to: readonly number[]): Uint8Array {
  return Uint8Array.from(voxels, (_, voxel) => {
    const at = [Math.floor(voxel / 300), Math.floor(voxel / 10) % 30, voxel % 10];
    return at.every((index, axis) => index >= (from[axis] ?? 0) && index < (to[axis] ?? 0)) ? 1 : 0;
  });
}

describe('region of a picture', () => {
  it('surrounds label and prediction with a margin and goes through the middle of the label', () => {
    const region = shownRegion(volume, [box([10, 10, 4], [14, 14, 6]), box([20, 10, 4], [22, 12, 5])]);
    expect(region).toEqual({ from: [0, 0, 0], sizeVoxels: [37, 29, 10], centre: [12, 12, 5] });
  });

  it('is the whole volume where nothing is marked', () => {
    const region = shownRegion(volume, [new Uint8Array(voxels.length)]);
    expect(region).toEqual({ from: [0, 0, 0], sizeVoxels: [40, 30, 10], centre: [20, 15, 5] });
  });
});

describe('picture of a case', () => {
  const labelled = box([10, 10, 3], [16, 16, 6]);

  function colours(predicted: Uint8Array) {
    const { data, width, height } = decode(drawOverlay(volume, 'MR', { predicted, labelled }));
    const counts = { labelled: 0, predicted: 0, both: 0 };
    const columns = { labelled: [] as number[], predicted: [] as number[] };
    for (let pixel = 0; pixel < width * height; pixel++) {
      const colour = [...data.slice(3 * pixel, 3 * pixel + 3)].join();
      for (const key of ['labelled', 'predicted', 'both'] as const) {
        if (colour !== OVERLAY_COLOURS[key].join()) continue;
        counts[key]++;
        if (key !== 'both') columns[key].push(pixel % width);
      }
    }
    return { counts, columns, width };
  }

  it('shows two outlines apart, the one further right in the patient further left in the picture', () => {
    const { counts, columns, width } = colours(box([20, 10, 3], [26, 16, 6]));
    expect(counts.both).toBe(0);
    expect(counts.labelled).toBeGreaterThan(100);
    expect(counts.predicted).toBeGreaterThan(50);
    const middle = (values: number[]): number =>
      values.filter((x) => x > (2 * width) / 3).reduce((sum, x, _, all) => sum + x / all.length, 0);
    expect(middle(columns.predicted)).toBeLessThan(middle(columns.labelled));
  });

  it('shows one white outline where they coincide', () => {
    const { counts } = colours(labelled);
    expect(counts.both).toBeGreaterThan(100);
    expect(counts).toMatchObject({ labelled: 0, predicted: 0 });
  });
});
