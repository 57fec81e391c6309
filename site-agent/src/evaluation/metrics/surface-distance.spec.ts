import { maskOfRuns, readMetricGoldens } from '../../../../test/fixtures/read-metric-goldens.js';
import { squaredDistances } from './distance-transform.js';
import { countOverlap, dice, foregroundIou } from './overlap.js';
import { surfaceDistances, surfaceOf } from './surface-distance.js';

const goldens = readMetricGoldens();

describe('distance transform', () => {
  it("agrees with scipy's on voxels of three different sides", () => {
    const { sites, squared, ...grid } = goldens.distances;
    const ours = squaredDistances(maskOfRuns(sites), grid);
    expect(ours).toHaveLength(squared.length);
    ours.forEach((value, voxel) => expect(value).toBeCloseTo(squared[voxel] ?? NaN, 9));
  });

  it('is infinite where there is nothing to be near to', () => {
    const far = squaredDistances(new Uint8Array(8), { sizeVoxels: [2, 2, 2], spacingMm: [1, 1, 1] });
    expect([...far]).toEqual(new Array(8).fill(Infinity));
  });
});

describe('surface distances', () => {
  it.each(goldens.masks.map((golden, index) => [index, golden] as const))(
    'and overlap agree with scipy and numpy on drawn masks: %d',
    (_, golden) => {
      const [predicted, labelled] = [maskOfRuns(golden.predicted), maskOfRuns(golden.labelled)];
      const [counts] = countOverlap(predicted, labelled, 1);
      expect(dice(counts ?? { predicted: 0, labelled: 0, both: 0 })).toBeCloseTo(golden.dice, 12);
      expect(foregroundIou(counts ?? { predicted: 0, labelled: 0, both: 0 })).toBeCloseTo(golden.foregroundIou, 12);
      const { hd95Mm, assdMm } = surfaceDistances(predicted, labelled, 1, golden);
      expect(hd95Mm).toBeCloseTo(golden.hd95Mm, 9);
      expect(assdMm).toBeCloseTo(golden.assdMm, 9);
    },
  );

  it('of one class do not see the others', () => {
    const grid = { sizeVoxels: [4, 1, 1], spacingMm: [2, 1, 1] } as const;
    const [predicted, labelled] = [Uint8Array.of(2, 0, 1, 1), Uint8Array.of(1, 0, 0, 2)];
    expect(surfaceDistances(predicted, labelled, 2, grid)).toEqual({ hd95Mm: 6, assdMm: 6 });
  });

  it('are no number where a mask is empty, and 0 between equal masks', () => {
    const grid = { sizeVoxels: [2, 2, 2], spacingMm: [1, 1, 1] } as const;
    const [full, empty] = [new Uint8Array(8).fill(1), new Uint8Array(8)];
    const none = { hd95Mm: null, assdMm: null };
    expect(surfaceDistances(full, empty, 1, grid)).toEqual(none);
    expect(surfaceDistances(empty, full, 1, grid)).toEqual(none);
    expect(surfaceDistances(empty, empty, 1, grid)).toEqual(none);
    expect(surfaceDistances(full, full, 1, grid)).toEqual({ hd95Mm: 0, assdMm: 0 });
  });

  it('count the edge of the image as outside: only the middle of a full cube is no surface', () => {
    const surface = surfaceOf(new Uint8Array(27).fill(1), [3, 3, 3]);
    expect(surface.indexOf(0)).toBe(13);
    expect(surface.reduce((sum, voxel) => sum + voxel, 0)).toBe(26);
  });
});
