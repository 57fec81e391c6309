import { Random } from '@consilium/shared/kernel';
import { makeRamp, meanOver, sameBits } from '../../../test/fixtures/make-patch.js';
import { localShuffle, shuffleInto } from './local-shuffle.js';

const SIZE = [64, 64, 32] as const;
const RAMP = makeRamp(SIZE);

function draw(parameters: { probability: number; blocks: number }, seed = 'a') {
  return localShuffle.draw(parameters, SIZE, new Random(seed));
}

const TARGET = new Float32Array(SIZE[0] * SIZE[1] * SIZE[2]);

function touchedShare(blocks: number, seed: string): number {
  return shuffleInto(TARGET, { blocks, seed }, { sizeVoxels: SIZE, voxels: RAMP.voxels }) / TARGET.length;
}

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

  it('refuses bad arguments', () => {
    expect(() => draw({ probability: 2, blocks: 1 })).toThrow('shuffleProbability');
    for (const blocks of [-1, 1.5, NaN])
      expect(() => draw({ probability: 1, blocks })).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
  });

  it('touches 82 % of a 64×64×32 patch with 10,000 windows, 17 % with 1,000', () => {
    expect(Math.abs(meanOver(5, (_, index) => touchedShare(10_000, `coverage/${index}`)) - 0.82)).toBeLessThan(0.01);
    expect(Math.abs(meanOver(5, (_, index) => touchedShare(1_000, `coverage/${index}`)) - 0.17)).toBeLessThan(0.01);
  });

  it('is drawn as often as asked', () => {
    const parameters = { probability: 0.5, blocks: 3 };
    expect(Math.abs(meanOver(5_000, (random) => localShuffle.draw(parameters, SIZE, random).blocks / 3) - 0.5)).toBeLessThan(
      0.015,
    );
  });
});
