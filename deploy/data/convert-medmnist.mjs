/**
 * Turns a MedMNIST3D archive (Yang et al., Scientific Data 2023; NAME.npz with the arrays SPLIT_images and SPLIT_labels) into
 * NIfTI files and a table that "site-agent finetune" takes:
 *
 *   node deploy/data/convert-medmnist.mjs adrenalmnist3d.npz adrenal/
 *
 * Bytes 0…255 are stored as −1000…1000, so that a task with "modality: CT" scales them to 0…1: they have no unit of their
 * own, and a shape mask has no percentiles that an MR scale could be taken from.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync, inflateRawSync } from 'node:zlib';

const SPLITS = { train: 'train', val: 'validation', test: 'test' };

/** Writes images/SPLIT-NUMBER.nii.gz and cases.csv (image, class, split) below `folder`; returns the number of images. */
export function convertMedmnist(archive, folder) {
  const arrays = readNpz(readFileSync(archive));
  mkdirSync(join(folder, 'images'), { recursive: true });
  const rows = ['image,class,split'];
  for (const [name, split] of Object.entries(SPLITS)) {
    const [images, labels] = [arrays.get(`${name}_images`), arrays.get(`${name}_labels`)];
    if (images === undefined || labels === undefined) continue;
    const [count, ...sizes] = images.shape;
    if (sizes.length !== 3 || labels.shape[0] !== count) throw new Error(`${archive}: ${name} holds no 3D images with labels`);
    const voxels = sizes.reduce((product, side) => product * side, 1);
    for (let index = 0; index < count; index++) {
      const image = `images/${split}-${String(index).padStart(4, '0')}.nii.gz`;
      const bytes = images.data.subarray(index * voxels, (index + 1) * voxels);
      writeFileSync(join(folder, image), gzipSync(niftiOf(bytes, sizes)));
      rows.push(`${image},${labels.data[(index * labels.data.length) / count]},${split}`);
    }
  }
  if (rows.length === 1) throw new Error(`${archive} holds none of the arrays train_images, val_images and test_images`);
  writeFileSync(join(folder, 'cases.csv'), `${rows.join('\n')}\n`);
  return rows.length - 1;
}

/** A NIfTI-1 file of 16-bit numbers, 1 mm, RAS+. The array's first axis becomes x; NIfTI stores x fastest. */
function niftiOf(bytes, [nx, ny, nz]) {
  const file = Buffer.alloc(352 + 2 * bytes.length);
  file.writeInt32LE(348, 0);
  [3, nx, ny, nz, 1, 1, 1, 1].forEach((value, index) => file.writeInt16LE(value, 40 + 2 * index));
  file.writeInt16LE(4, 70); // 16-bit integers
  file.writeInt16LE(16, 72);
  [1, 1, 1, 1].forEach((value, index) => file.writeFloatLE(value, 76 + 4 * index));
  file.writeFloatLE(352, 108);
  file.writeFloatLE(1, 112);
  file[123] = 2; // millimetres
  file.writeInt16LE(1, 254); // an sform: the identity
  [0, 1, 2].forEach((row) => file.writeFloatLE(1, 280 + 16 * row + 4 * row));
  file.write('n+1\0', 344, 'latin1');
  let at = 352;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, at += 2) file.writeInt16LE(Math.round((bytes[(x * ny + y) * nz + z] / 255) * 2000) - 1000, at);
    }
  }
  return file;
}

/** The arrays of a NumPy archive: a ZIP file, stored or deflated, read by its central directory. */
function readNpz(file) {
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0) throw new Error('the file is no .npz archive');
  const arrays = new Map();
  let at = file.readUInt32LE(end + 16);
  for (let entries = file.readUInt16LE(end + 10); entries > 0; entries--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => file.readUInt16LE(at + field));
    const name = file.toString('utf8', at + 46, at + 46 + nameLength);
    const [method, packed, local] = [file.readUInt16LE(at + 10), file.readUInt32LE(at + 20), file.readUInt32LE(at + 42)];
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const content = file.subarray(from, from + packed);
    arrays.set(name.replace(/\.npy$/, ''), readNpy(method === 0 ? content : inflateRawSync(content), name));
    at += 46 + nameLength + extraLength + commentLength;
  }
  return arrays;
}

/** An array of bytes in C order (the NumPy format, version 1 or 2). */
function readNpy(file, name) {
  const wide = file[6] >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? file.readUInt32LE(8) : file.readUInt16LE(8));
  const header = file.toString('latin1', start, end);
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '').split(',').filter((side) => side.trim() !== '');
  if (!/'descr': '[|<]u1'/.test(header) || !/'fortran_order': False/.test(header)) {
    throw new Error(`${name} is no array of bytes in C order`);
  }
  return { shape: shape.map(Number), data: file.subarray(end) };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [archive, folder] = process.argv.slice(2);
  if (archive === undefined || folder === undefined) {
    console.error('usage: node deploy/data/convert-medmnist.mjs ARCHIVE.npz FOLDER');
    process.exitCode = 2;
  } else {
    console.log(`${convertMedmnist(archive, folder)} images and cases.csv are in ${folder}`);
  }
}
