import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { examineVolume } from '../collection/examine-volume.js';
import { loadPreparedVolume } from './prepared-volume.js';

describe('loadPreparedVolume', () => {
  let folder: string;
  let prepared: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'prepared-'));
    prepared = join(folder, 'cache');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('prepares once, then reads the cache, with the same voxels in shared memory', async () => {
    const path = writeNifti(join(folder, 'a.nii.gz'), makePhantom('a', 'CT'));
    const indexed = await examineVolume(path, undefined);
    const made = await loadPreparedVolume(indexed, prepared);
    expect(made.voxels.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([Math.min(...made.voxels), Math.max(...made.voxels) <= 1]).toEqual([0, true]);
    rmSync(path); // the cache alone must do
    const cached = await loadPreparedVolume(indexed, prepared);
    expect(cached.voxels).toEqual(made.voxels);
    expect(readdirSync(prepared)).toHaveLength(1);
  });

  it('makes a damaged entry again and keeps one entry per modality', async () => {
    const indexed = await examineVolume(writeNifti(join(folder, 'a.nii'), makePhantom('a', 'CT')), undefined);
    const first = await loadPreparedVolume(indexed, prepared);
    const entry = join(prepared, readdirSync(prepared)[0] ?? '');
    const bytes = readFileSync(entry);
    truncateSync(entry, 100);
    expect((await loadPreparedVolume(indexed, prepared)).voxels).toEqual(first.voxels);
    expect(readFileSync(entry).equals(bytes)).toBe(true);
    await loadPreparedVolume({ ...indexed, modality: 'MR' }, prepared);
    expect(readdirSync(prepared)).toHaveLength(2);
  });

  it('says when the file is gone or has changed', async () => {
    const path = writeNifti(join(folder, 'a.nii'), makePhantom('a', 'CT'));
    const indexed = await examineVolume(path, undefined);
    writeNifti(path, makePhantom('a', 'CT', [12, 12, 12]));
    await expect(loadPreparedVolume(indexed, prepared)).rejects.toMatchObject({ code: 'VOLUME_UNSUITABLE' });
    writeFileSync(path, '');
    await expect(loadPreparedVolume(indexed, prepared)).rejects.toMatchObject({ code: 'VOLUME_UNREADABLE' });
  });
});
