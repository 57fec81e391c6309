import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { digestOfScan } from '../volumes/digest-of-scan.js';
import { PatchCache } from './patch-cache/patch-cache.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';
import { prepareCollection } from './prepare-collection.js';
import type { VolumeToPrepare } from './prepare-indexed.js';
import { completePlan } from './prepare-volume.js';

const PLAN = completePlan(undefined);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collection-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function indexed(name: string): Promise<VolumeToPrepare> {
  const path = writeNifti(join(folder, `${name}.nii`), makePhantom(name, 'CT'));
  const { size, mtimeMs } = statSync(path);
  return {
    digest: await digestOfScan({ kind: 'nifti', files: [path], stack: 0 }),
    source: { kind: 'nifti', path, frame: 0 },
    files: [{ path, bytes: size, modifiedMs: mtimeMs }],
    modality: 'CT',
    sizeVoxels: [40, 36, 24],
  };
}

const silent = { onProgress: () => undefined, onLeftOut: () => undefined };

describe('prepareCollection', () => {
  it('leaves out what changed, goes on with the rest, and on again where it was stopped', async () => {
    const volumes = [await indexed('a'), await indexed('b'), await indexed('c')];
    writeNifti(join(folder, 'b.nii'), makePhantom('other', 'CT'));
    const cache = await PatchCache.open(join(folder, 'cache'));
    const stopped = prepareCollection(volumes, cache, PLAN, {
      ...silent,
      onProgress: (done) => {
        if (done === 1) throw new FederationError('TRAINER_STOPPED', 'stop');
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
    const reasons: string[] = [];
    const steps: number[] = [];
    const result = await prepareCollection(volumes, cache, PLAN, {
      onProgress: (done) => void steps.push(done),
      onLeftOut: (error) => void reasons.push(error.message),
    });
    expect(result).toMatchObject({ made: 1, leftOut: 1 });
    expect(result.volumes.map(({ digest }) => digest)).toEqual([volumes[0]?.digest, volumes[2]?.digest]);
    expect(steps).toEqual([0, 1, 2, 3]);
    expect(reasons).toEqual(['b.nii: a file has changed since it was indexed']);
  });

  it('waits for space where the disk is full, and ends where nobody waits', async () => {
    const volumes = [await indexed('a')];
    const cache = await PatchCache.open(join(folder, 'cache'));
    const store = cache.store.bind(cache);
    let failures = 2;
    cache.store = (...entry): Promise<PreparedVolume> =>
      failures-- > 0 ? Promise.reject(FederationError.from({ code: 'ENOSPC' })) : store(...entry);
    let waits = 0;
    const waitForSpace = async (error: FederationError): Promise<void> => {
      expect(error.code).toBe('DISK_FULL');
      waits++;
    };
    expect(await prepareCollection(volumes, cache, PLAN, { ...silent, waitForSpace })).toMatchObject({ made: 1 });
    expect(waits).toBe(2);
    failures = 1;
    await expect(prepareCollection([await indexed('b')], cache, PLAN, silent)).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});
