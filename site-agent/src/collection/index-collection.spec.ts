import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { makeDicomSlice } from '../../../test/fixtures/make-dicom.js';
import { makeNifti, makePhantom, writeNifti } from '../../../test/fixtures/make-volume.js';
import { siteFolder, type SiteFolder } from '../config/site-folder.js';
import { CollectionIndex } from './collection-index.js';
import { openSiteDatabase } from './database.js';
import { indexCollection, type IndexOptions, type IndexSummary } from './index-collection.js';
import type { ScanRecord } from './scan-record.js';

let home: string;
let scans: string;
let site: SiteFolder;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'index-'));
  scans = join(home, 'scans');
  site = siteFolder(join(home, 'site'));
  mkdirSync(join(scans, 'deeper'), { recursive: true });
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function index(options: Partial<IndexOptions> = {}): Promise<IndexSummary> {
  return indexCollection({ paths: [scans], site, ...options });
}

function withIndex<T>(read: (index: CollectionIndex) => T): T {
  const opened = CollectionIndex.open(site.databaseFile);
  try {
    return read(opened);
  } finally {
    opened.close();
  }
}

const records = (): ScanRecord[] => withIndex((opened) => [...opened.records()]);
const counts = () => withIndex((opened) => opened.counts());
const byName = (): Record<string, ScanRecord> => Object.fromEntries(records().map((record) => [basename(record.path), record]));

function later(path: string): void {
  utimesSync(path, new Date(), new Date(Date.now() + 5000));
}

describe('indexCollection', () => {
  it('lists every scan, reads it, and says which ones training uses and why not the others', async () => {
    writeNifti(join(scans, 'head.nii.gz'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'deeper', 'knee.NII'), makePhantom('b', 'MR', [20, 24, 9]));
    writeNifti(join(scans, 'mask.nii'), { ...makePhantom('c', 'MR'), value: (i) => i % 3 });
    writeNifti(join(scans, 'flat.nii'), { ...makePhantom('d', 'MR'), value: () => 7 });
    writeNifti(join(scans, 'thin.nii'), { sizes: [64, 64, 5] });
    writeFileSync(join(scans, 'broken.nii.gz'), 'nothing');
    writeFileSync(join(scans, 'notes.txt'), 'no scan');
    writeFileSync(join(scans, '.hidden.nii'), 'no scan');
    expect(await index()).toMatchObject({ files: 7, examined: 6, unchanged: 0, checked: 5, problems: [] });
    expect(counts()).toMatchObject({ usable: 2, byModality: { CT: 1, MR: 1 }, scans: 6, refused: 1, unchecked: 0 });
    const found = byName();
    expect(found['head.nii.gz']).toMatchObject({ status: 'ok', checked: true, modality: 'CT', unusedBecause: undefined });
    expect(found['flat.nii']).toMatchObject({ status: 'reported', unusedBecause: 'all its voxels have the same value (7)' });
    expect(found['mask.nii']).toMatchObject({ status: 'ok', unusedBecause: expect.stringContaining('a mask') as string });
    expect(found['thin.nii']).toMatchObject({ status: 'ok', unusedBecause: expect.stringContaining('only 5 voxels') as string });
    expect(found['broken.nii.gz']).toMatchObject({ status: 'refused', code: 'VOLUME_UNREADABLE', checked: false });
    const knee = withIndex((opened) => opened.usable()).find(({ modality }) => modality === 'MR');
    const path = join(scans, 'deeper', 'knee.NII');
    expect(knee).toMatchObject({
      source: { kind: 'nifti', path, frame: 0 },
      files: [{ path }],
      sizeVoxels: [20, 24, 9],
      spacingMm: [1.5, 1.5, 3],
    });
    expect(found['knee.NII']?.volumes[0]?.thumbnail?.length).toBeGreaterThan(100);
  });

  it('leaves voxels for later when asked, and goes on where it was', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'b.nii'), makePhantom('b', 'MR'));
    expect(await index({ headersOnly: true })).toMatchObject({ examined: 2, checked: 0 });
    expect(counts()).toMatchObject({ usable: 0, scans: 2, unchecked: 2 });
    expect(await index({ paths: undefined })).toMatchObject({ examined: 0, unchanged: 2, checked: 2 });
    expect(counts()).toMatchObject({ usable: 2, unchecked: 0 });
    expect(await index()).toMatchObject({ examined: 0, checked: 0 });
  });

  it('reads a file again only when it changed, and forgets files that are gone', async () => {
    const path = writeNifti(join(scans, 'head.nii'), makePhantom('a', 'CT'));
    writeNifti(join(scans, 'knee.nii'), makePhantom('b', 'MR'));
    await index();
    const before = byName()['head.nii']?.volumes[0]?.digest;
    writeNifti(path, makePhantom('changed', 'CT'));
    later(path);
    expect(await index()).toMatchObject({ examined: 1, unchanged: 1, checked: 1 });
    expect(byName()['head.nii']?.volumes[0]?.digest).not.toBe(before);
    rmSync(path);
    expect(await index()).toMatchObject({ removed: 1, checked: 0 });
    expect(counts()).toMatchObject({ usable: 1, scans: 1 });
    expect(await index({ modality: 'MR' })).toMatchObject({ examined: 1, checked: 1 }); // another hint, another look
  });

  it('uses equal voxels once, and the other file when the first is gone', async () => {
    const first = writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    copyFileSync(first, join(scans, 'b.nii'));
    await index();
    expect(counts().usable).toBe(1);
    expect(byName()['a.nii']?.unusedBecause).toBeUndefined();
    expect(byName()['b.nii']).toMatchObject({ status: 'ok', unusedBecause: `the same voxels as ${first}; kept once` });
    rmSync(first);
    await index();
    expect(byName()['b.nii']?.unusedBecause).toBeUndefined();
  });

  it('finds only what lies in the named folders with all its files, and there also a copy of what lies elsewhere', async () => {
    for (const folder of ['open', 'closed', 'open-not']) mkdirSync(join(scans, folder));
    writeNifti(join(scans, 'closed', 'a.nii.gz'), makePhantom('a', 'CT'));
    copyFileSync(join(scans, 'closed', 'a.nii.gz'), join(scans, 'open', 'copy.nii.gz'));
    writeNifti(join(scans, 'open', 'b.nii'), makePhantom('b', 'MR'));
    writeNifti(join(scans, 'open-not', 'c.nii'), makePhantom('c', 'MR'));
    // One series in two folders: a part of it in a closed one keeps all of it out.
    for (let slice = 0; slice < 12; slice++) {
      const folder = join(scans, slice < 6 ? 'open' : 'closed');
      const pixels = Int16Array.from({ length: 144 }, (_, i) => ((i * 37 + slice * 101) % 1500) - 500);
      const made = { columns: 12, rows: 12, pixels, series: '1.2.3', instance: slice + 1, position: [0, 0, 3 * slice] as const };
      writeFileSync(join(folder, `${slice}.dcm`), makeDicomSlice(made));
    }
    await index();
    const inside = (...folders: string[]): string[] =>
      withIndex((opened) => {
        const paths = folders.map((folder) => join(scans, folder));
        const found = opened.usable(paths);
        expect(opened.countUsable(paths)).toBe(found.length);
        return found.map(({ files }) => basename(files[0]?.path ?? '')).sort();
      });
    expect(inside('open')).toEqual(['b.nii', 'copy.nii.gz']);
    expect(inside('open/b.nii')).toEqual(['b.nii']);
    expect(inside('closed')).toEqual(['a.nii.gz']);
    expect(inside('open', 'closed')).toEqual(['10.dcm', 'a.nii.gz', 'b.nii']);
    expect(inside()).toEqual([]);
    expect(withIndex((opened) => opened.countUsable())).toBe(4);
  });

  it('takes modality, body part and patients from notes beside the scans, before the hint', async () => {
    writeNifti(join(scans, 'a_1.nii'), makePhantom('a', 'MR'));
    writeNifti(join(scans, 'b.nii'), { ...makePhantom('b', 'CT'), value: (i, j, k) => -400 + 20 * i + j + k });
    await index();
    expect(counts().byModality).toEqual({ CT: 0, MR: 1 });
    writeFileSync(
      join(scans, 'collection.yaml'),
      'modality: MR\nbodyPart: knee\nfiles:\n  b.nii: CT\npatients:\n  "a_*": DOE4711\n',
    );
    await index({ modality: 'MR' });
    expect(counts().byModality).toEqual({ CT: 1, MR: 1 });
    const { 'a_1.nii': a, 'b.nii': b } = byName();
    expect(a).toMatchObject({ bodyPart: 'KNEE', patient: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
    expect(b?.patient).toBeUndefined();
    writeFileSync(join(scans, 'collection.yaml'), 'modality: XR\n');
    await expect(index()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('knows patients of BIDS folders, and keeps neither their ids nor text of headers', async () => {
    const folder = join(scans, 'sub-jane1970', 'ses-secret2');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'scan.nii');
    writeNifti(path, { ...makePhantom('a', 'CT'), description: 'DOE^JANE 1970' });
    writeFileSync(join(folder, 'collection.yaml'), 'patients:\n  scan.nii: PAT-4711\n');
    writeNifti(join(scans, 'sub-jane1970', 'b.nii'), makePhantom('b', 'CT'));
    writeNifti(join(scans, 'sub-jane1970', 'c.nii'), makePhantom('c', 'CT'));
    await index();
    const { 'scan.nii': noted, 'b.nii': b, 'c.nii': c } = byName();
    expect(b?.patient).toMatch(/^[0-9a-f]{32}$/);
    expect(c?.patient).toBe(b?.patient);
    expect(noted?.patient).not.toBe(b?.patient);
    const stored = readFileSync(site.databaseFile, 'latin1') + readIfThere(`${site.databaseFile}-wal`);
    expect(stored).not.toContain('DOE^JANE');
    expect(stored).not.toContain('PAT-4711');
  });

  it('stamps and digests a pair by both of its files', async () => {
    const whole = makeNifti(makePhantom('a', 'CT'));
    const header = Buffer.from(whole.subarray(0, 352));
    header.write('ni1', 344);
    header.writeFloatLE(0, 108);
    writeFileSync(join(scans, 'p.hdr'), header);
    writeFileSync(join(scans, 'p.img'), whole.subarray(352));
    await index();
    const [before] = withIndex((opened) => opened.usable());
    expect(before?.files.map(({ path }) => basename(path))).toEqual(['p.hdr', 'p.img']);
    expect(await index()).toMatchObject({ examined: 0, checked: 0, removed: 0 });
    writeFileSync(join(scans, 'p.img'), makeNifti(makePhantom('b', 'CT')).subarray(352));
    later(join(scans, 'p.img'));
    expect(await index()).toMatchObject({ examined: 1, checked: 1 });
    expect(withIndex((opened) => opened.usable()[0]?.digest)).not.toBe(before?.digest);
    rmSync(join(scans, 'p.img'));
    await index();
    expect(byName()['p.hdr']).toMatchObject({ status: 'refused', reason: 'the image file (.img) of this header is missing' });
  });

  it('makes a volume of the first frame, or of each', async () => {
    writeNifti(join(scans, 'frames.nii'), { ...makePhantom('f', 'MR', [10, 11, 12]), sizes: [10, 11, 12, 3] });
    await index();
    expect(records()[0]).toMatchObject({ status: 'ok', geometry: { frames: 3 }, volumes: [{ frame: 0 }] });
    expect(await index({ frames: 'all' })).toMatchObject({ examined: 0, checked: 1 });
    expect(records()[0]?.volumes.map(({ frame }) => frame)).toEqual([0, 1, 2]);
    expect(withIndex((opened) => opened.usable())).toHaveLength(3);
    expect(await index({ paths: undefined })).toMatchObject({ checked: 0 }); // as last time
    await index({ frames: 'first' });
    expect(withIndex((opened) => opened.usable())).toHaveLength(1);
  });

  it('enters no folder twice, opens no pipe, and tells what it may not read or name', async () => {
    writeNifti(join(scans, 'deeper', 'a.nii'), makePhantom('a', 'CT'));
    symlinkSync(scans, join(scans, 'deeper', 'loop'));
    symlinkSync(join(scans, 'nowhere'), join(scans, 'dangling'));
    symlinkSync(join(scans, 'deeper', 'a.nii'), join(scans, 'link.nii'));
    execFileSync('mkfifo', [join(scans, 'pipe.nii')]);
    writeFileSync(Buffer.concat([Buffer.from(join(scans, 'odd-')), Buffer.from([0xe9, 0xff]), Buffer.from('.nii')]), 'x');
    expect(await index()).toMatchObject({ files: 3, problems: [] });
    expect(byName()).toMatchObject({
      'a.nii': { status: 'ok' },
      'link.nii': { status: 'ok' },
      'odd-\\xe9\\xff.nii': { status: 'refused', reason: 'its name, or that of its folder, is not valid UTF-8' },
    });
    expect(await index()).toMatchObject({ examined: 1, checked: 0 });
  });

  it('tells what it could not look at, and keeps what it knew of it', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    symlinkSync('circle', join(scans, 'circle'));
    expect((await index()).problems).toEqual([{ path: join(scans, 'circle'), reason: 'its links lead in a circle' }]);
    renameSync(scans, `${scans}-away`); // as a disk that is not there today
    expect((await index({ paths: undefined })).problems).toEqual([{ path: scans, reason: 'it does not exist' }]);
    expect(counts()).toMatchObject({ scans: 1, usable: 1 });
  });

  it('names a path that is missing, and a database that is none', async () => {
    await expect(index({ paths: [join(home, 'nowhere')] })).rejects.toMatchObject({ code: 'FOLDER_MISSING' });
    mkdirSync(site.home, { recursive: true });
    const damaged = { code: 'STORAGE_FAILED', remedy: expect.stringContaining('move site.sqlite away') as string };
    writeFileSync(site.databaseFile, 'this is not a database, only a text of some length\n'.repeat(40));
    await expect(index()).rejects.toMatchObject(damaged);
  });

  it('leads an index of the first version forward by reading everything anew', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    mkdirSync(site.home, { recursive: true });
    const old = openSiteDatabase(site.databaseFile);
    old.exec('CREATE TABLE volumes (path TEXT PRIMARY KEY)');
    old.close();
    expect(await index()).toMatchObject({ examined: 1, checked: 1 });
  });

  it('keeps what is said of a folder within a folder, until more is said of the outer one', async () => {
    const deeper = join(scans, 'deeper');
    writeNifti(join(scans, 'outer.nii'), makePhantom('a', 'MR'));
    writeNifti(join(deeper, 'inner.nii'), { ...makePhantom('b', 'MR'), sizes: [24, 24, 12, 2] });
    symlinkSync('..', join(deeper, 'up')); // a way back to the outer one must not make its files belong to the inner one
    expect(await index({ paths: [scans, deeper, `${scans}/`] })).toMatchObject({ files: 2, folders: [scans] });
    await index({ modality: 'MR' });
    await index({ paths: [deeper], modality: 'CT', frames: 'all' });
    await index({ paths: undefined });
    const inner = join(deeper, 'inner.nii');
    const noted = () => records().map(({ path, modality, volumes }) => [path, modality, volumes.length]);
    expect(noted()).toContainEqual([inner, 'CT', 2]);
    expect(noted()).toContainEqual([join(scans, 'outer.nii'), 'MR', 1]);
    expect(await index({ paths: undefined })).toMatchObject({ examined: 0, checked: 0, removed: 0 });
    await index({ modality: 'MR', frames: 'first' });
    expect(noted()).toContainEqual([inner, 'MR', 1]);
    expect(await index({ paths: undefined })).toMatchObject({ examined: 0, checked: 0, folders: [scans] });
  });

  it('is for the eyes of its owner only, also when an older one was not', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    await index();
    const modes = () => ['', 'site.sqlite', 'salt'].map((name) => statSync(join(site.home, name)).mode & 0o777);
    expect(modes()).toEqual([0o700, 0o600, 0o600]);
    chmodSync(site.databaseFile, 0o644);
    const opened = CollectionIndex.open(site.databaseFile);
    opened.change(() => opened.saveFolders([]));
    for (const name of readdirSync(site.home)) expect(statSync(join(site.home, name)).mode & 0o077).toBe(0);
    opened.close();
  });

  it('refuses to go on with another salt: opt-outs would not be recognised', async () => {
    writeNifti(join(scans, 'a.nii'), makePhantom('a', 'CT'));
    await index();
    rmSync(site.saltFile);
    await expect(index()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
