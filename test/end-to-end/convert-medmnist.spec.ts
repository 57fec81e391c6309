import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { readNiftiVolume } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'deploy/data/convert-medmnist.mjs');

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'medmnist-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An array of bytes in NumPy's format. */
function npy(shape: readonly number[], bytes: readonly number[], descr = '|u1'): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const padded = header.padEnd(117) + '\n';
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length, 0]);
  return Buffer.concat([start, Buffer.from(padded, 'latin1'), Buffer.from(bytes)]);
}

/** A ZIP file: entries deflated in turn with stored ones; the checksums are left out. */
function zip(entries: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  Object.entries(entries).forEach(([name, content], index) => {
    const method = index % 2 === 0 ? 8 : 0;
    const packed = method === 8 ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    parts.push(local, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    at += local.length + name.length + packed.length;
  });
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(entries).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

describe('a MedMNIST archive', () => {
  it('becomes NIfTI files with its axes and a table with its classes', async () => {
    const voxels = Array.from({ length: 2 * 24 }, (_, index) => (index * 5) % 256);
    const archive = join(folder, 'made.npz');
    const arrays = {
      'train_images.npy': npy([2, 2, 3, 4], voxels),
      'train_labels.npy': npy([2, 1], [1, 0]),
      'val_images.npy': npy([1, 2, 3, 4], voxels.slice(0, 24)),
      'val_labels.npy': npy([1, 1], [2]),
    };
    writeFileSync(archive, zip(arrays));
    execFileSync(process.execPath, [PROGRAM, archive, join(folder, 'out')]);
    const rows = ['image,class,split', 'images/train-0000.nii.gz,1,train', 'images/train-0001.nii.gz,0,train'];
    expect(readFileSync(join(folder, 'out/cases.csv'), 'utf8')).toBe(
      [...rows, 'images/validation-0000.nii.gz,2,validation', ''].join('\n'),
    );
    const second = await readNiftiVolume(join(folder, 'out/images/train-0001.nii.gz'));
    expect(second.sizeVoxels).toEqual([2, 3, 4]);
    expect([...second.voxels]).toEqual(voxels.slice(24).map((value) => Math.round((value / 255) * 2000) - 1000));
  }, 30_000);

  it('is refused when its arrays are none of images', () => {
    const run = (entries: Readonly<Record<string, Buffer>>): void => {
      writeFileSync(join(folder, 'bad.npz'), zip(entries));
      execFileSync(process.execPath, [PROGRAM, join(folder, 'bad.npz'), join(folder, 'bad')], { stdio: 'pipe' });
    };
    expect(() => run({ 'x.npy': npy([1], [1]) })).toThrow(/none of the arrays/);
    expect(() => run({ 'train_images.npy': npy([1], [1], '<f4') })).toThrow(/no array of bytes/);
  }, 30_000);
});
