import type { Modality } from '../volumes/volume.js';
import type { ProbeBatch } from './patch-batch.js';
import { scoreProbe } from './score-version.js';

/** A batch of one patch for each list of targets; voxels are untouched unless it is said otherwise. */
function batchOf(targets: number[], modality: Modality = 'CT', treatments = targets.map(() => 0)): ProbeBatch {
  return {
    patches: 1,
    sizeVoxels: [1, 1, targets.length],
    input: new Float32Array(targets.length),
    target: Float32Array.from(targets),
    modalities: [modality],
    treatments: Uint8Array.from(treatments),
  };
}

const still = new AbortController().signal;

describe('scoreProbe', () => {
  it('averages over all voxels of all batches, beside the best constant', async () => {
    const restorer = { predict: (input: Float32Array) => new Float32Array(input.length).fill(0.5) };
    const score = await scoreProbe(restorer, [batchOf([0, 1, 1, 0]), batchOf([1, 1])], still);
    // Six voxels with mean 2/3: variance 2/9; the constant 0.5 errs by 1/4.
    expect(score.patches).toBe(2);
    expect(score.restorationError).toBeCloseTo(0.25, 12);
    expect(score.constantError).toBeCloseTo(2 / 9, 12);
    expect(score.skill).toBeCloseTo(1 - 0.25 / (2 / 9), 12);
  });

  it('tells modalities and treatments apart, each beside the best constant of its own', async () => {
    const restorer = { predict: (input: Float32Array) => new Float32Array(input.length).fill(0.5) };
    const ct = batchOf([0, 1, 0.25, 0.75], 'CT', [0, 0, 3, 3]);
    const mr = batchOf([1, 1, 0.5], 'MR', [0, 3, 1]);
    const { groups = [] } = await scoreProbe(restorer, [ct, mr], still);
    const group = (modality?: string, treatment?: string) =>
      groups.find((entry) => entry.modality === modality && entry.treatment === treatment);
    // CT untouched: 0 and 1, mean 1/2, so the answer is the best constant itself.
    expect(group('CT', 'untouched')).toMatchObject({ restorationError: 0.25, constantError: 0.25, skill: 0 });
    expect(group('CT', 'out-painted')).toMatchObject({ restorationError: 0.0625, constantError: 0.0625, share: 2 / 7 });
    // MR: 1, 1, 1/2 with mean 5/6 and variance 1/18; the answer errs by 1/4, 1/4, 0.
    expect(group('MR')?.constantError).toBeCloseTo(1 / 18, 12);
    expect(group('MR')?.skill).toBeCloseTo(1 - 1 / 6 / (1 / 18), 12);
    // Untouched everywhere: 0, 1, 1 with variance 2/9.
    expect(group(undefined, 'untouched')?.skill).toBeCloseTo(1 - 0.25 / (2 / 9), 12);
    expect(group('MR', 'remapped')).toMatchObject({ restorationError: 0, constantError: 0, skill: 0 });
    expect(group(undefined, 'in-painted')).toBeUndefined();
    expect(group('CT', 'remapped')).toBeUndefined();
  });

  it('gives a perfect restoration skill 1 and a flat probe skill 0', async () => {
    const perfect = { predict: () => Float32Array.of(0.25, 0.75) };
    expect((await scoreProbe(perfect, [batchOf([0.25, 0.75])], still)).skill).toBe(1);
    const flat = { predict: () => Float32Array.of(0.5, 0.5) };
    expect(await scoreProbe(flat, [batchOf([0.5, 0.5])], still)).toMatchObject({ constantError: 0, skill: 0 });
  });

  it('obeys a stop', async () => {
    const restorer = { predict: (input: Float32Array) => input };
    await expect(scoreProbe(restorer, [batchOf([1])], AbortSignal.abort())).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
  });
});
