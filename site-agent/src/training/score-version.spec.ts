import type { PatchBatch } from './patch-batch.js';
import { scoreProbe } from './score-version.js';

function probeOf(...targets: number[][]): PatchBatch[] {
  return targets.map((values) => ({
    patches: 1,
    sizeVoxels: [1, 1, values.length],
    input: new Float32Array(values.length),
    target: Float32Array.from(values),
  }));
}

const still = new AbortController().signal;

describe('scoreProbe', () => {
  it('averages over all voxels of all batches, beside the best constant', async () => {
    const restorer = { predict: (input: Float32Array) => new Float32Array(input.length).fill(0.5) };
    const score = await scoreProbe(restorer, probeOf([0, 1, 1, 0], [1, 1]), still);
    // Six voxels with mean 2/3: variance 2/9; the constant 0.5 errs by 1/4.
    expect(score.patches).toBe(2);
    expect(score.restorationError).toBeCloseTo(0.25, 12);
    expect(score.constantError).toBeCloseTo(2 / 9, 12);
    expect(score.skill).toBeCloseTo(1 - 0.25 / (2 / 9), 12);
  });

  it('gives a perfect restoration skill 1 and a flat probe skill 0', async () => {
    const [probe] = [probeOf([0.25, 0.75])];
    const perfect = { predict: () => Float32Array.of(0.25, 0.75) };
    expect((await scoreProbe(perfect, probe, still)).skill).toBe(1);
    const flat = { predict: () => Float32Array.of(0.5, 0.5) };
    expect(await scoreProbe(flat, probeOf([0.5, 0.5]), still)).toMatchObject({ constantError: 0, skill: 0 });
  });

  it('obeys a stop', async () => {
    const restorer = { predict: (input: Float32Array) => input };
    await expect(scoreProbe(restorer, probeOf([1]), AbortSignal.abort())).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
  });
});
