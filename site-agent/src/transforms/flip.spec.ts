import { Random } from '@consilium/shared/kernel';
import { makeRamp, meanOver } from '../../../test/fixtures/make-patch.js';
import { flip } from './flip.js';

const SIZE = [4, 3, 2] as const;
const XY = { probability: 0.4, axes: ['x', 'y'] } as const;

describe('flip', () => {
  it('changes nothing when no axis is drawn', () => {
    const patch = makeRamp(SIZE);
    expect(flip.apply({ x: false, y: false, z: false }, patch)).toBe(patch);
    expect(flip.draw({ ...XY, probability: 0 }, SIZE, new Random('a'))).toEqual({ x: false, y: false, z: false });
  });

  it('mirrors exactly the drawn axes and leaves its patch alone', () => {
    const patch = makeRamp(SIZE);
    const before = patch.voxels.slice();
    const at = (voxels: Float32Array, x: number, y: number, z: number): number | undefined => voxels[(x * 3 + y) * 2 + z];
    for (const drawing of [
      { x: true, y: false, z: false },
      { x: false, y: true, z: false },
      { x: true, y: true, z: true },
    ]) {
      const { voxels } = flip.apply(drawing, patch);
      const expected = at(before, drawing.x ? 3 - 1 : 1, drawing.y ? 2 - 0 : 0, drawing.z ? 1 - 1 : 1);
      expect(at(voxels, 1, 0, 1)).toBe(expected);
    }
    expect(patch.voxels).toEqual(before);
    expect(flip.apply({ x: true, y: false, z: true }, flip.apply({ x: true, y: false, z: true }, patch)).voxels).toEqual(before);
  });

  it('refuses bad arguments', () => {
    for (const probability of [-0.1, 1.1, NaN]) {
      expect(() => flip.draw({ ...XY, probability }, SIZE, new Random('a'))).toThrow(
        expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error,
      );
    }
    expect(() => flip.draw({ probability: 0.4, axes: ['w' as 'x'] }, SIZE, new Random('a'))).toThrow('flipAxes');
  });

  it('mirrors x and y in 15.3 % of the patches each, z never', () => {
    const draws = 8_000;
    const share = (axis: 'x' | 'y' | 'z'): number => meanOver(draws, (random) => Number(flip.draw(XY, SIZE, random)[axis]));
    expect(Math.abs(share('x') - 0.153)).toBeLessThan(0.01);
    expect(Math.abs(share('y') - 0.153)).toBeLessThan(0.01);
    expect(share('z')).toBe(0);
  });

  it('takes z in, and the channel out, as the nnU-Net variant does', () => {
    const parameters = { probability: 0.4, axes: ['x', 'y', 'z'], channel: false } as const;
    const share = meanOver(8_000, (random) => Number(flip.draw(parameters, SIZE, random).z));
    // The same as with three choices of which one does nothing.
    expect(Math.abs(share - 0.153)).toBeLessThan(0.01);
  });
});
