import { Random } from '@consilium/shared/kernel';
import { makeRamp, meanOver, sameBits } from '../../../test/fixtures/make-patch.js';
import { localShuffle, scatter, shuffleInto } from './local-shuffle.js';

const SIZE = [64, 64, 32] as const;
const RAMP = makeRamp(SIZE);

function draw(parameters: { probability: number; blocks: number }, seed = 'a') {
  return localShuffle.draw(parameters, SIZE, new Random(seed));
}

const TARGET = new Float32Array(SIZE[0] * SIZE[1] * SIZE[2]);

function touchedShare(blocks: number, seed: string): number {
  return shuffleInto(TARGET, { blocks, seed }, { sizeVoxels: SIZE, voxels: RAMP.voxels }) / TARGET.length;
}

const WORDS = new Uint32Array(8);

describe('localShuffle', () => {
  it('changes nothing when it is not drawn or has no blocks', () => {
    const patch = makeRamp(SIZE);
    expect(localShuffle.apply(draw({ probability: 0, blocks: 100 }), patch)).toBe(patch);
    expect(localShuffle.apply(draw({ probability: 1, blocks: 0 }), patch)).toBe(patch);
  });

  it('moves voxels a little way only, repeatably, and leaves its patch alone', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const drawing = draw({ probability: 1, blocks: 10_000 });
    const { voxels } = localShuffle.apply(drawing, patch);
    expect(sameBits(patch.voxels, before)).toBe(true);
    expect(sameBits(localShuffle.apply(drawing, patch).voxels, voxels)).toBe(true);
    const moved = voxels.reduce((count, value, index) => count + Number(value !== before[index]), 0) / voxels.length;
    expect(moved).toBeGreaterThan(0.7);
    for (let index = 0; index < voxels.length; index += 997) {
      const from = Math.round((voxels[index] ?? 0) * voxels.length);
      const distance = [
        Math.floor(from / 2048) - Math.floor(index / 2048),
        (Math.floor(from / 32) % 64) - (Math.floor(index / 32) % 64),
        (from % 32) - (index % 32),
      ];
      distance.forEach((step, axis) => expect(Math.abs(step)).toBeLessThanOrEqual(axis === 2 ? 2 : 5));
    }
  });

  it('permutes within a window: one window keeps all values', () => {
    const patch = makeRamp(SIZE);
    const { voxels } = localShuffle.apply({ blocks: 1, seed: 'one' }, patch);
    expect(sameBits(Float32Array.from(voxels).sort(), patch.voxels)).toBe(true);
  });

  it('gives each free place each of the values alike, drawn in pairs or one by one', () => {
    const random = new Random('places');
    for (const [count, free] of [
      [5, 5],
      [6, 3],
      [300, 2],
    ] as const) {
      const draws = 24_000;
      const [values, target] = [new Float32Array(count), new Float32Array(free)];
      const places = Int32Array.from({ length: free }, (_, place) => place);
      const seen = new Float64Array(free * count);
      for (let draw = 0; draw < draws; draw++) {
        for (let value = 0; value < count; value++) values[value] = value;
        scatter(target, values, count, places, free, random.fillUint32(WORDS), 0);
        if (target.some((value, place) => target.indexOf(value) !== place)) throw new Error('a value went to two places');
        target.forEach((value, place) => (seen[place * count + value] = (seen[place * count + value] ?? 0) + 1));
      }
      // Chi square of each place, with count − 1 degrees of freedom: five deviations above its mean.
      for (let place = 0; place < free; place++) {
        const expected = draws / count;
        const chiSquare = seen
          .subarray(place * count, (place + 1) * count)
          .reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
        expect(chiSquare).toBeLessThan(count - 1 + 5 * Math.sqrt(2 * (count - 1)));
      }
    }
  });

  it('refuses bad arguments', () => {
    expect(() => draw({ probability: 2, blocks: 1 })).toThrow('shuffleProbability');
    for (const blocks of [-1, 1.5, NaN])
      expect(() => draw({ probability: 1, blocks })).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
  });

  it('touches 82 % of a 64×64×32 patch with 10,000 windows, 17 % with 1,000', () => {
    const shares = Array.from({ length: 2_000 }, (_, index) => touchedShare(10_000, `coverage/${index}`));
    expect(Math.abs(shares.reduce((sum, share) => sum + share) / shares.length - 0.82)).toBeLessThan(0.01);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(0.03);
    expect(Math.abs(meanOver(50, (_, index) => touchedShare(1_000, `coverage/${index}`)) - 0.17)).toBeLessThan(0.01);
    expect(Math.abs(meanOver(50, (_, index) => touchedShare(500, `coverage/${index}`)) - 0.08)).toBeLessThan(0.01);
  });

  it('is drawn as often as asked', () => {
    const parameters = { probability: 0.5, blocks: 3 };
    expect(Math.abs(meanOver(5_000, (random) => localShuffle.draw(parameters, SIZE, random).blocks / 3) - 0.5)).toBeLessThan(
      0.015,
    );
  });
});
