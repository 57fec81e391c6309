import { required } from '@consilium/shared/kernel';
import { universalBatch } from '../../../test/fixtures/made-universal.js';
import { lookAtProbe, monitorProbe } from './monitor-probe.js';
import { MODALITY_CLASSES, type PatchBatch, type ProbeBatch } from './patch-batch.js';
import { scoreProbe } from './score-version.js';

const stop = new AbortController().signal;

/** Restores CT exactly and MR as half of what it should be; tells every scale as 1 and every modality as MR. */
const HALF_RIGHT = {
  observe({ patches, target, labels, sizeVoxels: [x, y, z] }: PatchBatch) {
    const repeat = (row: readonly number[]): Float32Array => Float32Array.from(Array.from({ length: patches }, () => row).flat());
    return {
      restored: target.map((value, i) => (labels?.modality[Math.floor(i / (x * y * z))] === 0 ? value : value / 2)),
      scale: repeat([0, 1, 0]),
      modality: repeat([-1, 1]),
      features: Float32Array.from({ length: patches * 3 }, (_, i) => Number(i % 3 === Math.floor(i / 3) % 2)),
    };
  },
};

/** Batches of untouched voxels, with what tells them apart. */
function probeOf(...batches: PatchBatch[]): ProbeBatch[] {
  return batches.map((batch) => ({
    ...batch,
    modalities: batch.labels?.modality.map((label) => required(MODALITY_CLASSES[label], 'a modality')) ?? [],
    treatments: new Uint8Array(batch.target.length),
  }));
}

describe('the monitors of a probe', () => {
  it('are worked out per modality and over all batches', async () => {
    const probe = probeOf(universalBatch('a', 4), universalBatch('b', 2));
    const { monitors } = await monitorProbe(HALF_RIGHT, probe, stop);
    expect(monitors).toMatchObject({ patches: 6, scaleAccuracy: 2 / 6, modalityAccuracy: 0.5 });
    const [ct, mr] = monitors.restoration;
    expect(ct).toMatchObject({ modality: 'CT', patches: 3, restorationError: 0, skill: 1 });
    expect(mr).toMatchObject({ modality: 'MR', patches: 3 });
    const bright = probe.flatMap((batch) => {
      const voxels = batch.target.length / batch.patches;
      return [...batch.target].filter((_, i) => Math.floor(i / voxels) % 2 === 1);
    });
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mr?.restorationError).toBeCloseTo(mean(bright.map((value) => (value / 2) ** 2)), 6);
    expect(mr?.constantError).toBeCloseTo(mean(bright.map((value) => value ** 2)) - mean(bright) ** 2, 6);
    expect(monitors.featureRank).toBeCloseTo(2, 6); // two directions, equally long
  });

  it('leave out what the model or the probe has not', async () => {
    const bare = { observe: (batch: PatchBatch) => ({ ...HALF_RIGHT.observe(batch), scale: undefined, modality: undefined }) };
    const { monitors } = await monitorProbe(bare, probeOf(universalBatch('a', 2, [1])), stop);
    expect(monitors.restoration.map(({ modality }) => modality)).toEqual(['MR']);
    expect([monitors.scaleAccuracy, monitors.modalityAccuracy]).toEqual([undefined, undefined]);
  });

  it('come with the score from one way through the network, and only where the objective is universal', async () => {
    const probe = probeOf(universalBatch('a', 4), universalBatch('b', 2));
    const asked = { observe: 0, predict: 0 };
    const learner = {
      observe: (batch: PatchBatch) => {
        asked.observe += 1;
        return HALF_RIGHT.observe(batch);
      },
      predict: (input: Float32Array) => {
        asked.predict += 1;
        return input.map((value) => value / 2);
      },
    };
    const universal = await lookAtProbe(learner, { kind: 'universal-model' }, probe, stop);
    expect(asked).toEqual({ observe: 2, predict: 0 });
    const restored = probe.map((batch) => HALF_RIGHT.observe(batch).restored);
    const restorer = { predict: () => required(restored.shift(), 'the next answer') };
    expect(universal.score).toEqual(await scoreProbe(restorer, probe, stop));
    const plain = await lookAtProbe(learner, { kind: 'models-genesis' }, probe, stop);
    expect(asked).toEqual({ observe: 2, predict: 2 });
    expect([universal.monitors?.patches, plain.monitors]).toEqual([6, undefined]);
  });

  it('rank the features of the first patches of a large probe only', async () => {
    const [patches, channels] = [520, 520];
    /** Every patch in a direction of its own; on 520 of them the rank would be 520. */
    const learner = {
      observe: ({ target }: PatchBatch) => ({
        restored: target,
        features: Float32Array.from({ length: patches * channels }, (_, i) => Number(Math.floor(i / channels) === i % channels)),
      }),
    };
    const labels = { modality: new Array<number>(patches).fill(0), scale: new Array<number>(patches).fill(0) };
    const values = new Float32Array(patches);
    const batch = { patches, sizeVoxels: [1, 1, 1] as const, input: values, target: values, labels };
    const { monitors } = await monitorProbe(learner, probeOf(batch), stop);
    expect(monitors.patches).toBe(520);
    expect(monitors.featureRank).toBeCloseTo(512, 6);
  });
});
