import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imagesToSegment } from './images-to-segment.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'images-'));
  mkdirSync(join(folder, 'scans/deep'), { recursive: true });
  for (const name of ['b.nii.gz', 'a.nii', 'notes.txt', 'a_mask.nii.gz', 'deep/a.nii'])
    writeFileSync(join(folder, 'scans', name), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('images to segment', () => {
  it('finds the images of a folder to its bottom, but no earlier mask, and keeps its structure', () => {
    const found = imagesToSegment([join(folder, 'scans')], join(folder, 'out'));
    expect(found.map(({ imagePath }) => imagePath.slice(folder.length))).toEqual([
      '/scans/a.nii',
      '/scans/b.nii.gz',
      '/scans/deep/a.nii',
    ]);
    expect(found.map(({ maskPath }) => maskPath?.slice(folder.length))).toEqual([
      '/out/a_mask.nii.gz',
      '/out/b_mask.nii.gz',
      '/out/deep/a_mask.nii.gz',
    ]);
  });

  it('takes a named file as it is and each image once', () => {
    const image = join(folder, 'scans/a.nii');
    expect(imagesToSegment([image], 'out')).toEqual([
      { name: 'a', imagePath: image, maskPath: expect.stringMatching(/out\/a_mask\.nii\.gz$/) as string },
    ]);
    expect(imagesToSegment([image, image], 'out')).toHaveLength(1);
  });

  it('refuses two masks of one name and names a missing path', () => {
    const two = [join(folder, 'scans/a.nii'), join(folder, 'scans/deep/a.nii')];
    expect(() => imagesToSegment(two, 'out')).toThrow(/same name/);
    expect(() => imagesToSegment([join(folder, 'none')], 'out')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });
});
