import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { digestOfFrame, digestOfScan } from '../volumes/digest-of-scan.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import { normaliseIntensity } from './intensity.js';
import { openPrepared } from './patch-cache/open-prepared.js';
import { PatchCache } from './patch-cache/patch-cache.js';
import { prepareIndexed, type VolumeToPrepare } from './prepare-indexed.js';
import { completePlan } from './prepare-volume.js';

const PLAN = completePlan(undefined);

let folder: string;
let prepared: string;
let cache: PatchCache;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'prepared-'));
  prepared = join(folder, 'cache');
  cache = await PatchCache.open(prepared);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function indexedFile(path: string, frame = 0): Promise<VolumeToPrepare> {
  const { sizeVoxels } = await readNiftiVolume(path, frame);
  const { size, mtimeMs } = statSync(path);
  const digest = digestOfFrame(await digestOfScan({ kind: 'nifti', files: [path], stack: 0 }), frame);
  const files = [{ path, bytes: size, modifiedMs: mtimeMs }];
  return { digest, source: { kind: 'nifti', path, frame }, files, modality: 'CT', sizeVoxels };
}

describe('prepareIndexed', () => {
  it('prepares once, then needs the cache alone', async () => {
    const path = writeNifti(join(folder, 'a.nii.gz'), makePhantom('a', 'CT'));
    const indexed = await indexedFile(path);
    const wanted = normaliseIntensity(await readNiftiVolume(path), 'CT');
    const first = await prepareIndexed(indexed, cache, PLAN);
    rmSync(path);
    const second = await prepareIndexed(indexed, cache, PLAN);
    expect([first.made, second.made]).toEqual([true, false]);
    expect(second.prepared).toEqual(first.prepared);
    const reader = openPrepared(second.prepared);
    expect(reader.readBox([0, 0, 0], indexed.sizeVoxels)).toEqual(wanted);
    reader.close();
  });

  it('makes a damaged entry again, to the byte, and keeps one entry per modality and plan', async () => {
    const indexed = await indexedFile(writeNifti(join(folder, 'a.nii'), makePhantom('a', 'CT')));
    await prepareIndexed(indexed, cache, PLAN);
    const entry = join(prepared, readdirSync(prepared)[0] ?? '');
    const bytes = readFileSync(entry);
    truncateSync(entry, 100);
    expect((await prepareIndexed(indexed, cache, PLAN)).made).toBe(true);
    expect(readFileSync(entry).equals(bytes)).toBe(true);
    await prepareIndexed({ ...indexed, modality: 'MR' }, cache, PLAN);
    const halves = await prepareIndexed(indexed, cache, completePlan({ ...PLAN, elementType: 'f16', spacingMm: [3, 3, 3] }));
    expect(halves.prepared).toMatchObject({ elementType: 'f16', spacingMm: [3, 3, 3], sizeVoxels: [20, 18, 24] });
    expect(readdirSync(prepared)).toHaveLength(3);
  });

  it('names the file that is gone or holds other voxels, even of the same length and time', async () => {
    const path = writeNifti(join(folder, 'a.nii'), makePhantom('a', 'CT'));
    const indexed = await indexedFile(path);
    const { atime, mtime } = statSync(path);
    const prepare = (): Promise<unknown> => prepareIndexed(indexed, cache, PLAN);
    const changed = { code: 'VOLUME_UNSUITABLE', message: expect.stringMatching(/^a\.nii: .*changed/) as string };
    writeNifti(path, makePhantom('b', 'CT'));
    utimesSync(path, atime, mtime);
    await expect(prepare()).rejects.toMatchObject(changed);
    writeFileSync(path, '');
    await expect(prepare()).rejects.toMatchObject(changed);
    rmSync(path);
    await expect(prepare()).rejects.toMatchObject({ code: 'VOLUME_UNSUITABLE', message: 'a.nii: a file is no longer there' });
    expect(readdirSync(prepared)).toEqual([]);
  });

  it('takes frames of one file for volumes of their own', async () => {
    const path = writeNifti(join(folder, 'frames.nii'), { ...makePhantom('a', 'CT'), sizes: [12, 12, 9, 2] });
    const [first, second] = [await indexedFile(path, 0), await indexedFile(path, 1)];
    expect(first.digest).not.toBe(second.digest);
    await prepareIndexed(first, cache, PLAN);
    await prepareIndexed(second, cache, PLAN);
    expect(readdirSync(prepared)).toHaveLength(2);
  });
});
