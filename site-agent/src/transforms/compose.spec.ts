import { Random } from '@consilium/shared/kernel';
import { genesisTransformsSchema } from '@consilium/shared/wire';
import { makeRamp } from '../../../test/fixtures/make-patch.js';
import { applyGenesis, drawGenesis } from './compose.js';

const SIZE = [32, 32, 16] as const;
const V2 = genesisTransformsSchema.parse({});
const NOTHING = { ...V2, nonlinearProbability: 0, shuffleProbability: 0, flipProbability: 0, paintProbability: 0 };

describe('the Genesis chain', () => {
  it('gives input and target alike when nothing is drawn', () => {
    const patch = makeRamp(SIZE);
    const { input, target } = applyGenesis(drawGenesis(NOTHING, SIZE, new Random('a')), patch);
    expect(input.voxels).toEqual(patch.voxels);
    expect(target.voxels).toEqual(patch.voxels);
  });

  it('flips input and target together, distorts the input alone, and changes no patch', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const flipped = applyGenesis(
      { ...drawGenesis(NOTHING, SIZE, new Random('a')), flip: { x: true, y: false, z: false } },
      patch,
    );
    expect(flipped.input.voxels).toEqual(flipped.target.voxels);
    expect(flipped.target.voxels).not.toEqual(before);
    const distorted = applyGenesis(drawGenesis({ ...V2, flipProbability: 0 }, SIZE, new Random('b')), patch);
    expect(distorted.target.voxels).toEqual(before);
    expect(distorted.input.voxels).not.toEqual(before);
    expect(patch.voxels).toEqual(before);
  });

  it('paints last, so that a falling intensity map does not touch the noise', () => {
    const patch = { sizeVoxels: SIZE, voxels: makeRamp(SIZE).voxels.fill(0) };
    const drawing = drawGenesis({ ...NOTHING, paintProbability: 1, outPaintShare: 1, paintFill: 'flat' }, SIZE, new Random('c'));
    const painted = applyGenesis(drawing, patch).input.voxels[0];
    const remapped = applyGenesis({ ...drawing, curve: { control: [0.3, 0.3, 0.6, 0.6], falling: true } }, patch).input.voxels;
    expect(remapped[0]).toBe(painted);
    expect(new Set(remapped)).toEqual(new Set([painted, 1]));
  });

  it('is fixed by its stream', () => {
    expect(drawGenesis(V2, SIZE, new Random('same'))).toEqual(drawGenesis(V2, SIZE, new Random('same')));
    expect(drawGenesis(V2, SIZE, new Random('same'))).not.toEqual(drawGenesis(V2, SIZE, new Random('other')));
  });

  it('refuses bad arguments', () => {
    for (const change of [{ paintProbability: 2 }, { outPaintShare: NaN }, { shuffleBlocks: -1 }, { flipProbability: -1 }]) {
      expect(() => drawGenesis({ ...V2, ...change }, SIZE, new Random('a'))).toThrow(
        expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
      );
    }
  });

  it('leaves 0.5 % of the patches untouched by the three families; in-paints 18 %, out-paints 72 %', () => {
    const count = { untouched: 0, in: 0, out: 0, none: 0 };
    const drawings = 20_000;
    for (let index = 0; index < drawings; index++) {
      const { shuffle, curve, paint } = drawGenesis(V2, SIZE, new Random(`share/${index}`));
      count[paint.kind]++;
      if (shuffle.blocks === 0 && curve === undefined && paint.kind === 'none') count.untouched++;
    }
    expect(Math.abs(count.untouched / drawings - 0.005)).toBeLessThan(0.0015);
    expect(Math.abs(count.in / drawings - 0.18)).toBeLessThan(0.01);
    expect(Math.abs(count.out / drawings - 0.72)).toBeLessThan(0.01);
  });
});
