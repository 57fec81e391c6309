import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDicomSeries, writeEnhancedFile } from '../../../../test/fixtures/make-dicom-series.js';
import { imagesToSegment } from './images-to-segment.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'images-'));
  mkdirSync(join(folder, 'scans/deep'), { recursive: true });
  for (const name of ['b.nii.gz', 'a.nii', 'notes.txt', 'a_mask.nii.gz', 'deep/a.nii'])
    writeFileSync(join(folder, 'scans', name), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const out = (): string => join(folder, 'out');
const masksOf = async (inputs: readonly string[]): Promise<(string | undefined)[]> =>
  (await imagesToSegment(inputs, { outputFolder: out() })).images.map(({ maskPath }) => maskPath?.slice(folder.length));

describe('images to segment', () => {
  it('finds the images of a folder to its bottom, but no earlier mask, and keeps its structure', async () => {
    const { images } = await imagesToSegment([join(folder, 'scans')], { outputFolder: out() });
    expect(images.map(({ choice }) => choice.path.slice(folder.length))).toEqual([
      '/scans/a.nii',
      '/scans/b.nii.gz',
      '/scans/deep/a.nii',
    ]);
    expect(images.map(({ maskPath }) => maskPath?.slice(folder.length))).toEqual([
      '/out/a_mask.nii.gz',
      '/out/b_mask.nii.gz',
      '/out/deep/a_mask.nii.gz',
    ]);
  });

  it('takes a named file as it is and each image once', async () => {
    const image = join(folder, 'scans/a.nii');
    expect(await imagesToSegment([image], { outputFolder: 'out' })).toEqual({
      images: [{ name: 'a', choice: { path: image }, maskPath: expect.stringMatching(/out\/a_mask\.nii\.gz$/) as string }],
      refused: [],
    });
    expect(await masksOf([image, image])).toHaveLength(1);
  });

  it('refuses two masks of one name and names a missing path', async () => {
    const two = [join(folder, 'scans/a.nii'), join(folder, 'scans/deep/a.nii')];
    await expect(imagesToSegment(two, { outputFolder: 'out' })).rejects.toThrow(/same name/);
    await expect(imagesToSegment([join(folder, 'none')], { outputFolder: 'out' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('other answers than masks', () => {
  it('are called by their kind, lie beside the masks and are no images themselves', async () => {
    const image = join(folder, 'scans/a.nii');
    const { images } = await imagesToSegment([image], { outputFolder: out(), format: 'dicom-seg', probabilities: true });
    expect(images).toMatchObject([
      { maskPath: join(out(), 'a_seg.dcm'), maskFormat: 'dicom-seg', probabilityStem: join(out(), 'a_probability_') },
    ]);
    writeFileSync(join(folder, 'scans/a_probability_liver.nii.gz'), '');
    expect(await masksOf([join(folder, 'scans')])).toHaveLength(3);
  });
});

describe('DICOM images to segment', () => {
  it('are volumes called like the folder of their files, beside the NIfTI files there', async () => {
    writeDicomSeries(join(folder, 'scans/p1/ct'));
    writeDicomSeries(join(folder, 'scans/p2/ct'), { changes: () => ({ series: '1.2.9' }) });
    expect(await masksOf([join(folder, 'scans/p1')])).toEqual(['/out/ct_mask.nii.gz']);
    expect(await masksOf([join(folder, 'scans/p1/ct')])).toEqual(['/out/ct_mask.nii.gz']);
    expect(await masksOf([join(folder, 'scans')])).toEqual([
      '/out/a_mask.nii.gz',
      '/out/b_mask.nii.gz',
      '/out/deep/a_mask.nii.gz',
      '/out/p1/ct_mask.nii.gz',
      '/out/p2/ct_mask.nii.gz',
    ]);
  });

  it('get numbers where a folder holds several, and keep them when one is named by a file of it', async () => {
    const [first] = writeDicomSeries(join(folder, 'exam'));
    const second = writeDicomSeries(join(folder, 'exam'), { changes: () => ({ series: '9.9' }) });
    expect((await masksOf([join(folder, 'exam')])).sort()).toEqual(['/out/exam-1_mask.nii.gz', '/out/exam-2_mask.nii.gz']);
    const [one] = await masksOf([first ?? '']);
    const [two, ...more] = await masksOf(second);
    expect(more).toEqual([]);
    expect([one, two].sort()).toEqual(['/out/exam-1_mask.nii.gz', '/out/exam-2_mask.nii.gz']);
  });

  it('of one file are called like it; the wanted frame goes with them', async () => {
    const path = join(folder, 'perfusion.dcm');
    writeEnhancedFile(path, {}, 3);
    const { images } = await imagesToSegment([path], { outputFolder: out(), frame: 2 });
    expect(images).toMatchObject([{ name: 'perfusion', choice: { path, frame: 2 }, scan: { frames: 3, source: { frame: 2 } } }]);
  });

  it('keep the modality of their header, whatever is said of images that have none', async () => {
    writeDicomSeries(join(folder, 'mr'));
    const { images } = await imagesToSegment([join(folder, 'mr'), join(folder, 'scans/a.nii')], {
      outputFolder: out(),
      modality: 'CT',
    });
    expect(images.map(({ scan, choice }) => [scan?.modality, choice.modality])).toEqual([
      ['MR', 'CT'],
      [undefined, 'CT'],
    ]);
  });

  it('that form no volume are told with the reason, once', async () => {
    const files = writeDicomSeries(join(folder, 'gap'), { changes: (slice) => (slice === 3 ? { series: '7.7' } : {}) });
    const { images, refused } = await imagesToSegment(files, { outputFolder: out() });
    expect(images).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(3);
    expect(refused[0]?.reason).toMatch(/slice|spac|gap/);
  });
});
