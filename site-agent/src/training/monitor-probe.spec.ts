import { universalBatch } from '../../../test/fixtures/made-universal.js';
import { monitorProbe } from './monitor-probe.js';
import type { PatchBatch } from './patch-batch.js';

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

describe('the monitors of a probe', () => {
  it('are worked out per modality and over all batches', async () => {
    const probe = [universalBatch('a', 4), universalBatch('b', 2)];
    const monitors = await monitorProbe(HALF_RIGHT, probe, stop);
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
    const monitors = await monitorProbe(bare, [universalBatch('a', 2, [1])], stop);
    expect(monitors.restoration.map(({ modality }) => modality)).toEqual(['MR']);
    expect([monitors.scaleAccuracy, monitors.modalityAccuracy]).toEqual([undefined, undefined]);
  });
});
