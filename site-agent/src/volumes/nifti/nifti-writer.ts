import { endianness } from 'node:os';
import { rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { FederationError, newId } from '@consilium/shared/kernel';
import { WRITTEN_DATATYPES } from './nifti-datatype.js';
import { type Orientation, rasLayout, spacingOf, storeAffine } from '../orientation.js';
import type { StoredGeometry, Volume } from '../volume.js';

const compress = promisify(gzip);

/** Codes of NIfTI's xyzt_units and sform_code. */
const MILLIMETRES = 2;
const SCANNER_COORDINATES = 1;
const LONGEST_NIFTI1_SIDE = 32767;

/**
 * Writes voxels given in the RAS layout of {@link Volume.voxels} as a NIfTI file in the geometry the source was stored in:
 * same axis order, qform, sform and voxel sizes, so that any viewer lays one over the other. Compressed when the path ends
 * in ".gz". The file appears whole or not at all. Free text of the source header (it may name a person) is not copied.
 */
export async function writeNiftiLike(path: string, source: Volume, voxels: Uint8Array | Float32Array): Promise<void> {
  const headerBytes = source.source.headerBytes ?? headerOfAffine(source.source);
  const littleEndian = new DataView(headerBytes.buffer, headerBytes.byteOffset).getInt8(0) !== 0;
  const header = headerLike(source.source, headerBytes, voxels instanceof Uint8Array ? 'uint8' : 'float32', littleEndian);
  const file = Buffer.concat([header, storedBytes(source.source, voxels, littleEndian)]);
  await writeWhole(path, /\.gz$/i.test(path) ? await compress(file, { level: 6 }) : file);
}

/**
 * Writes a volume as float32 with its axes in the orientation asked for, which places it by its sform alone. Nothing of the
 * source's header is copied. As {@link writeNiftiLike} otherwise.
 */
export async function writeNiftiVolume(path: string, volume: Volume, orientation: Orientation): Promise<void> {
  const { sizeVoxels, affine, voxels } = volume;
  const [a, b, c] = orientation.rasAxis;
  const source: StoredGeometry = {
    ...orientation,
    sizeVoxels: [sizeVoxels[a] ?? 1, sizeVoxels[b] ?? 1, sizeVoxels[c] ?? 1],
    affine: storeAffine(affine, orientation, sizeVoxels),
    headerBytes: undefined,
  };
  await writeNiftiLike(path, { ...volume, source }, voxels);
}

/** A little-endian header whose sform (scanner coordinates) is the affine, for sources that are not NIfTI. */
function headerOfAffine(geometry: StoredGeometry): Uint8Array {
  return geometry.sizeVoxels.some((side) => side > LONGEST_NIFTI1_SIDE) ? header2OfAffine(geometry) : header1OfAffine(geometry);
}

function header1OfAffine({ affine }: StoredGeometry): Uint8Array {
  const bytes = new Uint8Array(348);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 348, true);
  view.setFloat32(76, 1, true);
  spacingOf(affine).forEach((spacing, axis) => view.setFloat32(80 + 4 * axis, spacing, true));
  view.setUint8(123, MILLIMETRES);
  view.setInt16(254, SCANNER_COORDINATES, true);
  affine.slice(0, 12).forEach((entry, index) => view.setFloat32(280 + 4 * index, entry, true));
  return bytes;
}

function header2OfAffine({ affine }: StoredGeometry): Uint8Array {
  const bytes = new Uint8Array(540);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, 540, true);
  view.setFloat64(104, 1, true);
  spacingOf(affine).forEach((spacing, axis) => view.setFloat64(112 + 8 * axis, spacing, true));
  view.setInt32(348, SCANNER_COORDINATES, true);
  affine.slice(0, 12).forEach((entry, index) => view.setFloat64(400 + 8 * index, entry, true));
  view.setInt32(500, MILLIMETRES, true);
  return bytes;
}

function headerLike(
  geometry: StoredGeometry,
  headerBytes: Uint8Array,
  type: keyof typeof WRITTEN_DATATYPES,
  littleEndian: boolean,
): Uint8Array {
  const version = headerBytes.byteLength === 540 ? 2 : 1;
  const bytes = new Uint8Array(headerBytes.byteLength + 4); // four zeros: no extensions
  bytes.set(headerBytes);
  const view = new DataView(bytes.buffer);
  if (version === 1) fillNifti1(view, geometry, type, littleEndian);
  else fillNifti2(view, geometry, type, littleEndian);
  return bytes;
}

// Offsets: NIfTI-1 data format, nifti1.h. Bytes 4–37 and 148–251 are free text, 56–67 and 328–343 the intent.
function fillNifti1(
  view: DataView,
  { sizeVoxels }: StoredGeometry,
  type: keyof typeof WRITTEN_DATATYPES,
  littleEndian: boolean,
): void {
  const { code, bytes } = WRITTEN_DATATYPES[type];
  blank(view, [4, 38], [56, 70], [74, 76], [120, 123], [124, 140], [148, 252], [328, 344]);
  [3, ...sizeVoxels, 1, 1, 1, 1].forEach((size, index) => view.setInt16(40 + 2 * index, size, littleEndian));
  for (let index = 4; index < 8; index++) view.setFloat32(76 + 4 * index, 1, littleEndian);
  view.setInt16(70, code, littleEndian);
  view.setInt16(72, 8 * bytes, littleEndian);
  view.setFloat32(108, view.byteLength, littleEndian);
  view.setFloat32(112, 1, littleEndian);
  view.setFloat32(116, 0, littleEndian);
  writeText(view, 148, 'Consilium');
  writeText(view, 344, 'n+1\0');
}

// Offsets: nifti2.h. Bytes 240–343 are free text, 80–103 and 504–523 the intent, 192–239 display range, slice times.
function fillNifti2(
  view: DataView,
  { sizeVoxels }: StoredGeometry,
  type: keyof typeof WRITTEN_DATATYPES,
  littleEndian: boolean,
): void {
  const { code, bytes } = WRITTEN_DATATYPES[type];
  blank(view, [80, 104], [192, 344], [496, 500], [504, 524]);
  [3, ...sizeVoxels, 1, 1, 1, 1].forEach((size, index) => view.setBigInt64(16 + 8 * index, BigInt(size), littleEndian));
  for (let index = 4; index < 8; index++) view.setFloat64(104 + 8 * index, 1, littleEndian);
  view.setInt16(12, code, littleEndian);
  view.setInt16(14, 8 * bytes, littleEndian);
  view.setBigInt64(168, BigInt(view.byteLength), littleEndian);
  view.setFloat64(176, 1, littleEndian);
  view.setFloat64(184, 0, littleEndian);
  writeText(view, 240, 'Consilium');
  writeText(view, 4, 'n+2\0\r\n\x1a\n');
}

function blank(view: DataView, ...ranges: readonly (readonly [from: number, to: number])[]): void {
  for (const [from, to] of ranges) new Uint8Array(view.buffer, from, to - from).fill(0);
}

function writeText(view: DataView, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) view.setUint8(at + index, text.charCodeAt(index));
}

function storedBytes(geometry: StoredGeometry, voxels: Uint8Array | Float32Array, littleEndian: boolean): Uint8Array {
  const [nx, ny, nz] = geometry.sizeVoxels;
  if (voxels.length !== nx * ny * nz) {
    throw new FederationError('INVARIANT', `${voxels.length} voxels do not fill a volume of ${nx * ny * nz}`);
  }
  const { base, steps } = rasLayout(geometry.sizeVoxels, geometry);
  const stored = voxels instanceof Uint8Array ? new Uint8Array(voxels.length) : new Float32Array(voxels.length);
  let write = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      let read = base + k * steps[2] + j * steps[1];
      for (let i = 0; i < nx; i++, read += steps[0]) stored[write++] = voxels[read] as number;
    }
  }
  const bytes = Buffer.from(stored.buffer);
  if (stored instanceof Float32Array && littleEndian !== (endianness() === 'LE')) bytes.swap32();
  return bytes;
}

async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  const partial = `${path}.${newId('partial')}`;
  try {
    await writeFile(partial, content, { flush: true });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw FederationError.from(error, 'STORAGE_FAILED');
  }
}
