import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPairs } from './folder-pairs.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-pairs-'));
  mkdirSync(join(folder, 'images'));
  mkdirSync(join(folder, 'labels'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const images = () => join(folder, 'images');
const labels = () => join(folder, 'labels');
function put(...paths: string[]): void {
  for (const path of paths) writeFileSync(join(folder, path), '');
}

describe('folder pairs', () => {
  it("matches names without endings, nnU-Net's channel numbers and words such as _seg, and folders of DICOM files", () => {
    put('images/b_0000.nii.gz', 'images/a.nii', 'labels/a.nii.gz', 'labels/b_seg.nii.gz', 'labels/c.nii', 'images/notes.txt');
    mkdirSync(join(images(), 'c'));
    const pairs = findPairs(images(), labels());
    expect([...pairs.keys()]).toEqual(['a', 'b', 'c']);
    expect(pairs.get('b')).toEqual({
      name: 'b',
      image: join(images(), 'b_0000.nii.gz'),
      label: join(labels(), 'b_seg.nii.gz'),
    });
    expect(pairs.get('c')?.image).toBe(join(images(), 'c'));
  });

  it('matches names that look alike, whichever way an umlaut is written', () => {
    put(`images/${'Müller'.normalize('NFD')}.nii`, `labels/${'Müller'.normalize('NFC')}.nii`);
    expect([...findPairs(images(), labels()).keys()]).toEqual(['Müller']);
  });

  it('needs no labels where there are none to match', () => {
    put('images/a.nii');
    expect(findPairs(images(), undefined).get('a')).toEqual({ name: 'a', image: join(images(), 'a.nii') });
  });

  it.each<[string, string[], RegExp]>([
    [
      'images without labels, naming three',
      ['images/a.nii', 'images/b.nii', 'images/c.nii', 'images/d.nii'],
      /without a label.*: a, b, c and 1 more/,
    ],
    ['labels without images', ['images/a.nii', 'labels/a.nii', 'labels/b.nii'], /labels without an image.*: b$/],
    ['two files of one name', ['images/a.nii', 'images/a.nii.gz'], /a\.nii and a\.nii\.gz have the same name/],
    ['an empty folder', [], /no image/],
  ])('refuses %s', (_, files, message) => {
    put(...files);
    expect(() => findPairs(images(), labels())).toThrow(message);
  });

  it('says which folder cannot be read', () => {
    expect(() => findPairs(join(folder, 'none'), undefined)).toThrow(/folders\.images: the folder .*none cannot be read/);
  });
});
