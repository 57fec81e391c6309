import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { makeNifti, makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { scanCollection, type ScanSummary } from './scan-collection.js';
import { VolumeIndex } from './volume-index.js';

let home: string;
let scans: string;
let database: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'scan-'));
  scans = join(home, 'scans');
  database = join(home, 'site', 'site.sqlite');
  mkdirSync(join(scans, 'deeper'), { recursive: true });
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function scan(modality?: 'CT' | 'MR'): Promise<ScanSummary> {
  return scanCollection({ folders: [scans], database, modality });
}

function reasons(summary: ScanSummary): Record<string, string> {
  return Object.fromEntries(summary.unusable.map(({ path, reason }) => [basename(path), reason]));
}

function withIndex<T>(read: (index: VolumeIndex) => T): T {
  const index = VolumeIndex.open(database);
  try {
    return read(index);
  } finally {
    index.close();
  }
}

describe('scanCollection', () => {
  it('indexes what is usable and lists the rest with a reason', async () => {
    writeNifti(join(scans, 'head.nii.gz'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'deeper', 'knee.nii'), makePhantom('b', 'MR', [20, 24, 9]));
    writeNifti(join(scans, 'mask.nii'), { ...makePhantom('c', 'MR'), value: (i) => i % 3 });
    writeNifti(join(scans, 'flat.nii'), { ...makePhantom('d', 'MR'), value: () => 7 });
    writeNifti(join(scans, 'slice.nii'), { sizes: [64, 64, 1] });
    writeNifti(join(scans, 'thin.nii'), { sizes: [64, 64, 5] });
    writeNifti(join(scans, 'frames.nii'), { sizes: [9, 9, 9, 2] });
    writeFileSync(join(scans, 'broken.nii.gz'), 'nothing');
    writeFileSync(join(scans, 'notes.txt'), 'no scan');
    writeFileSync(join(scans, '.hidden.nii'), 'no scan');
    const summary = await scan();
    expect(summary).toMatchObject({
      counts: { usable: 2, unusable: 6, duplicates: 0, byModality: { CT: 1, MR: 1 } },
      examined: 8,
    });
    expect(reasons(summary)).toEqual({
      'broken.nii.gz': 'not a NIfTI file',
      'flat.nii': 'all its voxels have the same value (7)',
      'frames.nii': '4D: 2 frames; not supported yet',
      'mask.nii': 'only 3 different values: this looks like a mask, not a scan',
      'slice.nii': 'a single slice, not a volume',
      'thin.nii': 'only 5 voxels along one axis (64 × 64 × 5); at least 8 are needed',
    });
    const knee = withIndex((index) => index.usable()).find(({ modality }) => modality === 'MR');
    expect(knee).toMatchObject({
      path: join(scans, 'deeper', 'knee.nii'),
      sizeVoxels: [20, 24, 9],
      spacingMm: [1.5, 1.5, 3],
      repairedVoxels: 0,
    });
  });

  it('reads a file again only when it changed, and forgets files that are gone', async () => {
    const path = writeNifti(join(scans, 'head.nii'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'knee.nii'), makePhantom('b', 'MR'));
    await scan();
    expect(await scan()).toMatchObject({ examined: 0, unchanged: 2, removed: 0 });
    writeNifti(path, makePhantom('changed', 'CT'));
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
    expect(await scan()).toMatchObject({ examined: 1, unchanged: 1 });
    rmSync(path);
    expect(await scan()).toMatchObject({ removed: 1, counts: { usable: 1 } });
    expect(await scan('MR')).toMatchObject({ examined: 1, unchanged: 0 }); // another hint, another look
  });

  it('keeps equal files once, and the other one when the first is gone', async () => {
    const first = writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    copyFileSync(first, join(scans, 'b.nii'));
    const summary = await scan();
    expect(summary.counts).toMatchObject({ usable: 1, duplicates: 1, unusable: 0 });
    expect(reasons(summary)['b.nii']).toMatch('the same bytes as');
    expect((await scan()).counts).toMatchObject({ usable: 1, duplicates: 1 });
    rmSync(first);
    expect((await scan()).counts).toMatchObject({ usable: 1, duplicates: 0 });
  });

  it('takes modality from notes beside the scans before the hint', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'MR'));
    writeNifti(join(scans, 'b.nii'), { ...makePhantom('b', 'CT'), value: (i, j, k) => -400 + 20 * i + j + k });
    expect((await scan()).counts).toMatchObject({ usable: 1, unusable: 1 });
    writeFileSync(join(scans, 'collection.yaml'), 'modality: MR\nfiles:\n  b.nii: CT\n');
    expect((await scan('MR')).counts.byModality).toEqual({ CT: 1, MR: 1 });
    writeFileSync(join(scans, 'collection.yaml'), 'modality: XR\n');
    await expect(scan()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('stores no text of the header', async () => {
    writeNifti(join(scans, 'a.nii'), { ...makePhantom('a', 'CT'), description: 'DOE^JANE 1970' });
    await scan();
    withIndex((index) => index.usable());
    for (const file of [database, `${database}-wal`]) {
      const bytes = (() => {
        try {
          return readFileSync(file, 'latin1');
        } catch {
          return '';
        }
      })();
      expect(bytes).not.toContain('DOE');
    }
  });

  it('stamps and digests a pair by both of its files', async () => {
    const whole = makeNifti(makePhantom('a', 'CT'));
    const header = Buffer.from(whole.subarray(0, 352));
    header.write('ni1', 344);
    header.writeFloatLE(0, 108);
    writeFileSync(join(scans, 'p.hdr'), header);
    writeFileSync(join(scans, 'p.img'), whole.subarray(352));
    expect((await scan()).counts.usable).toBe(1);
    const before = withIndex((index) => index.usable()[0]?.digest);
    writeFileSync(join(scans, 'p.img'), makeNifti(makePhantom('b', 'CT')).subarray(352));
    utimesSync(join(scans, 'p.img'), new Date(), new Date(Date.now() + 5000));
    expect(await scan()).toMatchObject({ examined: 1 });
    expect(withIndex((index) => index.usable()[0]?.digest)).not.toBe(before);
    rmSync(join(scans, 'p.img'));
    expect(reasons(await scan())).toEqual({ 'p.hdr': 'the image file (.img) of this header is missing' });
  });

  it('names a folder that is missing and a database that is none', async () => {
    await expect(scanCollection({ folders: [join(home, 'nowhere')], database })).rejects.toMatchObject({
      code: 'FOLDER_MISSING',
    });
    writeFileSync(join(home, 'text.sqlite'), 'this is not a database, only a text of some length\n'.repeat(40));
    await expect(scanCollection({ folders: [scans], database: join(home, 'text.sqlite') })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
  });
});
