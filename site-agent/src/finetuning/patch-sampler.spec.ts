import { Random } from '@consilium/shared/kernel';
import type { PatchBatch } from '../training/patch-batch.js';
import { keptInMemory, type KeptCase } from './cases/kept-case.js';
import type { LabelledCase } from './cases/labelled-case.js';
import { augmentLightly } from './augmented-patch.js';
import { makeBatch } from './example-writer.js';
import { drawStart, PatchSampler, type SamplerPlan } from './patch-sampler.js';
import { finetuneTrainingSchema } from './tasks/segmentation-task.js';

const STILL = { flipAxes: [], intensityShift: 0 };

/** One labelled voxel in a 24×24×16 volume whose intensities name their voxel. */
function makeCase(name: string, labelledVoxel: number): LabelledCase {
  const sizeVoxels = [24, 24, 16] as const;
  const count = 24 * 24 * 16;
  const classMap = new Uint8Array(count);
  classMap[labelledVoxel] = 1;
  return { name, sizeVoxels, intensities: Float32Array.from({ length: count }, (_, index) => index / count), classMap };
}

interface Batches {
  batch(step: number): PatchBatch;
}

function batchesOf(cases: readonly KeptCase[], plan: SamplerPlan): Batches {
  const of = new PatchSampler(cases, plan);
  return { batch: (step) => makeBatch(of, step, plan.training.batchSize, plan.patchSizeVoxels) };
}

function sampler(foregroundShare: number, augmentation: object = STILL, seed = 1): Batches {
  const training = finetuneTrainingSchema.parse({ batchSize: 4, foregroundShare, augmentation, seed });
  const cases = [makeCase('a', 100), makeCase('b', 5000)].map((each) => keptInMemory(each, 1));
  return batchesOf(cases, { patchSizeVoxels: [8, 8, 8], classes: 1, training });
}

describe('patch sampler', () => {
  it('centres the asked share of patches on labelled voxels', () => {
    const always = sampler(1).batch(3);
    for (let patch = 0; patch < 4; patch++) {
      expect(always.target.subarray(patch * 512, (patch + 1) * 512).reduce((sum, value) => sum + value)).toBe(1);
    }
    let hits = 0;
    const never = sampler(0);
    for (let step = 0; step < 50; step++) hits += never.batch(step).target.reduce((sum, value) => sum + value);
    expect(hits).toBeLessThan(40); // a uniform patch holds the one voxel in about one of 13 draws
  });

  it('gives the same batch for the same step and seed, and another one otherwise', () => {
    const [one, again] = [sampler(0.5).batch(7), sampler(0.5).batch(7)];
    expect(again.input).toEqual(one.input);
    expect(sampler(0.5).batch(8).input).not.toEqual(one.input);
    expect(sampler(0.5, STILL, 2).batch(7).input).not.toEqual(one.input);
  });

  it('visits each case once in every pass', () => {
    const seen = new Set<boolean>();
    const { input } = sampler(1).batch(0);
    for (const patch of [0, 1]) seen.add((input[patch * 512] ?? 0) > 2000 / 9216);
    expect(seen.size).toBe(2);
  });

  it('centres on a class that one case in ten has as often as on the others, where classes are balanced', () => {
    const rare = makeCase('rare', 3000);
    rare.classMap[3000] = 2;
    const usual = Array.from({ length: 9 }, (_, index) => makeCase(`usual-${index}`, 3000));
    const cases = [rare, ...usual].map((each) => keptInMemory(each, 2));
    const share = (balance: string): number => {
      const training = finetuneTrainingSchema.parse({ batchSize: 10, foregroundShare: 1, augmentation: 'none', balance });
      const balanced = batchesOf(cases, { patchSizeVoxels: [8, 8, 8], classes: 2, training });
      let second = 0;
      for (let step = 0; step < 20; step++) balanced.batch(step).target.forEach((value, at) => (second += at % 2 ? value : 0));
      return second / 200;
    };
    expect(share('cases')).toBeCloseTo(0.1, 6);
    expect(share('classes')).toBeGreaterThan(0.4);
    expect(share('classes')).toBeLessThan(0.6);
  });

  it('keeps image and labels together through flips', () => {
    const values = Float32Array.from({ length: 24 }, (_, index) => index / 24);
    const map = Uint8Array.from({ length: 24 }, (_, index) => index);
    augmentLightly(
      { sizeVoxels: [2, 3, 4], voxels: values, classMap: map },
      { flipAxes: ['x', 'y', 'z'], intensityShift: 0 },
      new Random('flips'),
    );
    expect([...values].map((value) => Math.round(value * 24))).toEqual([...map]);
    expect(map[0]).not.toBe(0);
  });

  it('scales intensities by a bounded factor and keeps them within [0, 1]', () => {
    const factors = Array.from({ length: 50 }, (_, index) => {
      const values = Float32Array.of(0.5, 1);
      const patch = { sizeVoxels: [1, 1, 2] as const, voxels: values };
      augmentLightly(patch, { flipAxes: [], intensityShift: 0.1 }, new Random(`shift/${index}`));
      expect(values[1]).toBeLessThanOrEqual(1);
      return (values[0] ?? 0) / 0.5;
    });
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.9);
    expect(Math.max(...factors)).toBeLessThan(1.1);
    expect(new Set(factors).size).toBeGreaterThan(40);
  });

  it('augments fully on demand: other patches, labels and image alike, the same for the same seed', () => {
    const [still, full, again] = [STILL, { level: 'full' }, { level: 'full' }].map((augmentation) =>
      sampler(1, augmentation).batch(0),
    );
    expect(full?.input).toEqual(again?.input);
    expect(full?.target).toEqual(again?.target);
    expect(full?.input).not.toEqual(still?.input);
    expect(Math.max(...(full?.input ?? []))).toBeLessThanOrEqual(1);
  });

  it('augments not at all on demand, and reads one word as a level', () => {
    expect(finetuneTrainingSchema.parse({ augmentation: 'full' }).augmentation.level).toBe('full');
    expect(finetuneTrainingSchema.parse({}).augmentation).toEqual({ flipAxes: ['x', 'y', 'z'], intensityShift: 0.1 });
    expect(finetuneTrainingSchema.safeParse({ augmentation: 'strong' }).success).toBe(false);
    expect(sampler(1, { level: 'none' }).batch(0).input).toEqual(sampler(1, STILL).batch(0).input);
  });

  it('keeps patches inside long axes and whole short axes inside patches', () => {
    for (let seed = 0; seed < 100; seed++) {
      const start = drawStart([5, 40, 8], [8, 16, 8], seed % 2 === 0 ? undefined : [4, 39, 0], new Random(`start/${seed}`));
      expect(start[0]).toBeGreaterThanOrEqual(-3);
      expect(start[0]).toBeLessThanOrEqual(0);
      expect(start[1]).toBeGreaterThanOrEqual(0);
      expect(start[1]).toBeLessThanOrEqual(24);
      if (seed % 2 === 1) expect(start[1]).toBe(24);
      expect(start[2]).toBe(0);
    }
  });
});
