import { Random } from '@consilium/shared/kernel';
import { expectedCalibrationError, reliabilityCurve } from './calibration.js';
import { addCalibration, sumCalibration, voxelCalibrationError, voxelReliability } from './voxel-calibration.js';

const size = [9, 8, 7] as const;
const count = size[0] * size[1] * size[2];
const at = (voxel: number) => [Math.floor(voxel / (size[1] * size[2])), Math.floor(voxel / size[2]) % size[1], voxel % size[2]];
const isIn = (voxel: number, from: readonly number[], to: readonly number[]): boolean =>
  at(voxel).every((place, axis) => place >= (from[axis] ?? 0) && place <= (to[axis] ?? 0));
const indices = Array.from({ length: count }, (_, voxel) => voxel);

/** Class 2 is labelled in x 3–5, y 2–4, z 0–2; one voxel at (8, 2, 2) is predicted far from it. Drawn probabilities elsewhere up to 0.5. */
function makeCase(seed: string) {
  const random = new Random(seed);
  const labelled = Uint8Array.from(indices, (voxel) =>
    isIn(voxel, [3, 2, 0], [5, 4, 2]) ? 2 : isIn(voxel, [8, 7, 6], [8, 7, 6]) ? 1 : 0,
  );
  const probabilities = Float32Array.from(indices, (voxel) =>
    isIn(voxel, [8, 2, 2], [8, 2, 2]) ? 0.9 : labelled[voxel] === 2 ? random.between(0, 1) : random.between(0, 0.5),
  );
  return { labelled, probabilities };
}

describe('calibration of voxels', () => {
  it('is that of the voxels in the box around the label, one voxel wider within the image', () => {
    const { labelled, probabilities } = makeCase('a');
    const inside = indices.filter((voxel) => isIn(voxel, [2, 1, 0], [6, 5, 3]));
    const outcomes = inside.map((voxel) => ({ probability: probabilities[voxel] ?? NaN, positive: labelled[voxel] === 2 }));
    const curve = reliabilityCurve(outcomes);
    const sums = sumCalibration(probabilities, labelled, 2, size);
    if (sums === null) throw new Error('the class is labelled');
    const ours = voxelReliability(sums);
    expect(ours.map(({ from, to, voxels }) => [from, to, voxels])).toEqual(curve.map(({ from, to, cases }) => [from, to, cases]));
    ours.forEach(({ meanProbability, observedShare }, bin) => {
      if (curve[bin]?.cases === 0) return expect([meanProbability, observedShare]).toEqual([null, null]);
      expect(meanProbability).toBeCloseTo(curve[bin]?.meanProbability ?? NaN, 12);
      return expect(observedShare).toBeCloseTo(curve[bin]?.observedShare ?? NaN, 12);
    });
    expect(voxelCalibrationError(sums)).toBeCloseTo(expectedCalibrationError(curve), 12);
  });

  it('puts probabilities on the edge of two bins where the curve of cases puts them', () => {
    const probabilities = Float32Array.from(indices, (voxel) => (voxel % 11) / 10);
    const labelled = new Uint8Array(count).fill(1);
    const curve = reliabilityCurve([...probabilities].map((probability) => ({ probability, positive: true })));
    expect(sumCalibration(probabilities, labelled, 1, size)?.voxels).toEqual(curve.map(({ cases }) => cases));
  });

  it('adds up over cases as if their voxels were of one', () => {
    const [a, b] = [makeCase('a'), makeCase('b')].map(({ probabilities, labelled }) =>
      sumCalibration(probabilities, labelled, 2, size),
    );
    if (!a || !b) throw new Error('the class is labelled in both');
    const both = addCalibration([a, b]);
    expect(both?.voxels).toEqual(a.voxels.map((voxels, bin) => voxels + (b.voxels[bin] ?? NaN)));
    expect(both?.labelled.reduce((sum, labelled) => sum + labelled)).toBe(2 * 27);
    expect(addCalibration([])).toBeNull();
  });

  it('does not exist where the class is not labelled, and takes in a tenth of a long structure on each side', () => {
    expect(sumCalibration(new Float32Array(count).fill(0.9), new Uint8Array(count), 1, size)).toBeNull();
    const labelled = Uint8Array.from({ length: 60 }, (_, voxel) => (voxel >= 20 && voxel < 50 ? 1 : 0));
    const sums = sumCalibration(new Float32Array(60), labelled, 1, [60, 1, 1]);
    expect(sums?.voxels[0]).toBe(30 + 2 * 3);
  });
});
