import { makeStack, type MadeFacts } from '../../../../test/fixtures/make-dicom-facts.js';
import { onlyVolume } from '../../../../test/fixtures/read-assembly.js';
import { rescalePlane, settlePadding, ValueRange } from './rescale-plane.js';

/** Three planes of stored values as they end up after rescaling and padding. */
function settle(stored: readonly (readonly number[])[], isCt: boolean, changes: (slice: number) => MadeFacts): number[] {
  const [planes = []] = onlyVolume(makeStack(stored.length, changes)).frames;
  const range = new ValueRange();
  const voxels = new Float32Array(stored.flat().length);
  let offset = 0;
  for (const [index, values] of stored.entries()) {
    const placed = planes[index];
    if (placed === undefined) throw new Error('a made stack has as many planes as slices');
    rescalePlane(voxels, offset, { columns: values.length, rows: 1, values: Int16Array.from(values) }, placed, range);
    offset += values.length;
  }
  settlePadding(voxels, isCt, range);
  return [...voxels];
}

const PLANES = [
  [-2000, 0, 24],
  [-2000, 1024, 2000],
  [100, 50, -2000],
];

describe('values of a plane', () => {
  it('are rescaled by the slope and intercept of their own plane, in double precision', () => {
    const changes = (slice: number): MadeFacts => ({
      plane: { slope: [1, 0.1, -2][slice] ?? 1, intercept: [0, 0.3, 7][slice] ?? 0 },
    });
    const expected = PLANES.flatMap((values, slice) =>
      values.map((v) => Math.fround(v * ([1, 0.1, -2][slice] ?? 1) + ([0, 0.3, 7][slice] ?? 0))),
    );
    expect(settle(PLANES, false, changes)).toEqual(expected);
  });
});

describe('padding', () => {
  const padded = (from: number, to: number, intercept: number) => (): MadeFacts => ({
    pixels: { padding: [from, to] },
    plane: { intercept },
  });

  it('of CT below air stays, as converters leave it', () => {
    expect(settle(PLANES, true, padded(-2000, -2000, -1024))).toEqual([-3024, -1024, -1000, -3024, 0, 976, -924, -974, -3024]);
  });

  it('of MR below zero becomes the smallest measured value', () => {
    expect(settle(PLANES, false, padded(-2000, -2000, 0))).toEqual([0, 0, 24, 0, 1024, 2000, 100, 50, 0]);
  });

  it('of zero stays background, even where the smallest measured value is larger', () => {
    expect(
      settle(
        [
          [0, 5, 9],
          [0, 7, 8],
          [6, 6, 6],
        ],
        false,
        padded(0, 0, 0),
      ),
    ).toEqual([0, 5, 9, 0, 7, 8, 6, 6, 6]);
  });

  it('above every measured value becomes the smallest of them, in CT too', () => {
    const high = [
      [4095, 0, 24],
      [3, 1024, 2000],
      [100, 50, 4090],
    ];
    expect(settle(high, true, padded(4090, 4095, -1024))).toEqual([-1024, -1024, -1000, -1021, 0, 976, -924, -974, -1024]);
  });

  it('among the measured values stays: nothing tells it from them', () => {
    expect(settle(PLANES, false, padded(50, 60, 0))).toEqual(PLANES.flat());
  });

  it('everywhere stays', () => {
    expect(
      settle(
        [
          [-5, -5],
          [-5, -5],
          [-5, -5],
        ],
        false,
        padded(-5, -5, 0),
      ),
    ).toEqual([-5, -5, -5, -5, -5, -5]);
  });
});
