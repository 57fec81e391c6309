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

  /** Grey at shares of one view's width and height; views are told apart by the black between them. */
  function greyIn(shown: Volume, view: 0 | 1 | 2, across: number, down: number): number {
    const nothing = new Uint8Array(voxels.length);
    const { data, width, height } = decode(drawOverlay(shown, 'MR', { predicted: nothing, labelled: undefined }));
    // 30, 40 and 40 mm wide, 40, 40 and 30 mm high, at 8 pixels a millimetre, four pixels apart.
    const [left, side, high] = ([[0, 240, 320], [244, 320, 320], [568, 320, 240]] as const)[view]; // prettier-ignore
    expect([width, height]).toEqual([888, 320]);
    const row = Math.floor((height - high) / 2 + down * high);
    return data[3 * (row * width + Math.floor(left + across * side))] as number;
  }
  const brightWhere = (isBright: (x: number, y: number, z: number) => boolean): Volume => ({
    ...volume,
    voxels: voxels.map((_, at) => (isBright(Math.floor(at / 300), Math.floor(at / 10) % 30, at % 10) ? 900 : 100)),
  });

  it('has the head up, the front on the left or above, and the right on the left', () => {
    const head = brightWhere((_x, _y, z) => z >= 5);
    for (const view of [0, 1] as const) {
      expect(greyIn(head, view, 0.7, 0.25)).toBeGreaterThan(greyIn(head, view, 0.7, 0.75));
    }
    const front = brightWhere((_x, y) => y >= 15);
    expect(greyIn(front, 0, 0.25, 0.7)).toBeGreaterThan(greyIn(front, 0, 0.75, 0.7));
    expect(greyIn(front, 2, 0.7, 0.25)).toBeGreaterThan(greyIn(front, 2, 0.7, 0.75));
    const right = brightWhere((x) => x >= 20); // x grows to the patient's right in RAS
    for (const view of [1, 2] as const) {
      expect(greyIn(right, view, 0.25, 0.7)).toBeGreaterThan(greyIn(right, view, 0.75, 0.7));
    }
  });

  it('has a bar of its stated length in the first view', () => {
    const { data, width, height } = decode(
      drawOverlay(volume, 'MR', { predicted: new Uint8Array(voxels.length), labelled: undefined }),
    );
    const isInk = (x: number, y: number): boolean => [0, 1, 2].every((channel) => data[3 * (y * width + x) + channel] === 225);
    const inRow = Array.from({ length: 240 }, (_, x) => isInk(x, height - 7)).filter(Boolean);
    expect(inRow).toHaveLength(10 * 8); // 10 mm
  });
});
