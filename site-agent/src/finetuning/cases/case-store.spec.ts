import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { gridAtSpacing } from '../../preprocessing/resampling/resample-volume.js';
import type { Triple } from '../../volumes/volume.js';
import { type CaseIdentity, CaseStore } from './case-store.js';
import { keptInMemory, type KeptCase, voxelOfClass } from './kept-case.js';
import type { LabelledCase } from './labelled-case.js';
import { PatchSampler } from '../patch-sampler.js';
import { makeBatch } from '../example-writer.js';
import type { PatchBatch } from '../../training/patch-batch.js';
import { finetuneTrainingSchema } from '../tasks/segmentation-task.js';

const CLASSES = 3;

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'case-store-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Noise with labels of three classes in it; the third only where x is large. */
function makeCase(name: string, sizeVoxels: Triple): LabelledCase {
  const random = new Random(`case-store/${name}`);
  const count = sizeVoxels.reduce((product, side) => product * side, 1);
  const plane = sizeVoxels[1] * sizeVoxels[2];
  const classMap = Uint8Array.from({ length: count }, (_, voxel) => {
    if (random.chance(0.9)) return 0;
    return voxel > 0.8 * sizeVoxels[0] * plane ? random.integer(1, 3) : random.integer(1, 2);
  });
  return { name, sizeVoxels, classMap, intensities: Float32Array.from({ length: count }, () => random.between(0, 1)) };
}

function identify({ name, sizeVoxels }: LabelledCase): CaseIdentity {
  const digest = digestOfBytes(Buffer.from(name));
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const air = { airThreshold: 0.1, airValue: 0 };
  const place = {
    sizeVoxels: [...sizeVoxels] as [number, number, number],
    spacingMm: [1, 1, 1] as [number, number, number],
    affine,
  };
  return { image: { digest, modality: 'MR', fingerprint: digest, ...place, ...air }, label: { digest, fingerprint: digest } };
}

function keepAll(store: CaseStore, cases: readonly LabelledCase[]): Promise<KeptCase[]> {
  return Promise.all(cases.map((each) => store.keep(each, CLASSES, () => Promise.resolve(identify(each)))));
}

function batchOf(sampler: PatchSampler | undefined, step: number): PatchBatch | undefined {
  return sampler && makeBatch(sampler, step, 4, [24, 16, 16]);
}

// Longer and shorter than a patch, and with sides that chunks of files do not divide.
const cases = [makeCase('long', [70, 41, 23]), makeCase('short', [9, 50, 7]), makeCase('flat', [33, 16, 16])];

describe('cases on disk', () => {
  it.each(['none', 'light', 'full'])('give the same patches as in memory, with augmentation: %s', async (augmentation) => {
    const store = new CaseStore(folder, 0);
    const onDisk = await keepAll(store, cases);
    const inMemory = cases.map((each) => keptInMemory(each, CLASSES));
    const training = finetuneTrainingSchema.parse({ batchSize: 4, augmentation, balance: 'classes', seed: 5 });
    const [one, other] = [onDisk, inMemory].map((kept) => {
      return new PatchSampler(kept, { patchSizeVoxels: [24, 16, 16], classes: CLASSES, training });
    });
    for (let step = 0; step < 10; step++) {
      const [disk, memory] = [batchOf(one, step), batchOf(other, step)];
      expect(disk?.input).toEqual(memory?.input);
      expect(disk?.target).toEqual(memory?.target);
    }
    store.close();
  });

  it('are whole for validation, with the classes of their own grid where they were resampled', async () => {
    const affine = [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const { from } = gridAtSpacing({ sizeVoxels: [10, 16, 16], spacingMm: [2, 1, 1], affine }, [0.6, 1, 1]);
    const own = { fromOwn: from, classMap: Uint8Array.from({ length: 10 * 16 * 16 }, (_, voxel) => voxel % 4) };
    const resampled = { ...makeCase('resampled', [33, 16, 16]), own };
    const store = new CaseStore(folder, 0);
    const kept = await keepAll(store, [...cases, resampled]);
    expect(kept.map((each) => each.whole())).toEqual([...cases, resampled]);
    store.close();
  });

  it('are those that no longer fit into memory, which is told', async () => {
    const bytes = 5 * 70 * 41 * 23; // of the first case
    const store = new CaseStore(folder, bytes);
    await keepAll(store, cases.slice(0, 1));
    expect(await store.describe()).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
    await keepAll(store, cases.slice(1));
    expect(readdirSync(folder)).toHaveLength(4);
    expect(await store.describe()).toMatch(/^memory: 2 of 3 cases lie on disk/);
    store.close();
  });

  it('are not written again by an attempt that goes on', async () => {
    await keepAll(new CaseStore(folder, 0), cases);
    const inodes = () => readdirSync(folder).map((name) => statSync(join(folder, name)).ino);
    const before = inodes();
    expect(before).toHaveLength(6);
    await keepAll(new CaseStore(folder, 0), cases);
    expect(inodes()).toEqual(before);
  });

  it('fail the work when their file is damaged, and are made again by the next attempt', async () => {
    const store = new CaseStore(folder, 0);
    const [kept] = await keepAll(store, cases.slice(0, 1));
    for (const name of readdirSync(folder)) truncateSync(join(folder, name), 5000);
    expect(() => kept?.whole()).toThrow(expect.objectContaining({ code: 'STORAGE_FAILED', retryable: true }) as Error);
    const [again] = await keepAll(new CaseStore(folder, 0), cases.slice(0, 1));
    expect(again?.whole()).toEqual(cases[0]);
  });
});

describe('the voxels of a class', () => {
  it('are found by their number, in memory and on disk', async () => {
    const store = new CaseStore(folder, 0);
    const [first] = cases;
    if (first === undefined) throw new Error('there are cases');
    const both = [keptInMemory(first, CLASSES), ...(await keepAll(store, [first]))];
    for (const kept of both) {
      expect(kept.planes.present()).toEqual([0, 1, 2]);
      for (const wanted of [0, 1, 2]) {
        const list = [...first.classMap.keys()].filter((voxel) => first.classMap[voxel] === wanted + 1);
        expect(kept.planes.total(wanted)).toBe(list.length);
        for (let n = 0; n < list.length; n += 97) {
          const [x, y, z] = voxelOfClass(kept, wanted, n);
          expect((x * 41 + y) * 23 + z).toBe(list[n]);
        }
      }
    }
    store.close();
  });
});
