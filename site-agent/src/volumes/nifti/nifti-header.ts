import { NIFTI1, NIFTI2 } from 'nifti-reader-js';
import { remarksOn } from './header-remarks.js';
import { affineOf } from './nifti-affine.js';
import { datatypeOf, type NiftiDatatype } from './nifti-datatype.js';
import { unreadable, unsuitable } from '../volume-fault.js';

/** What a header says, after every check that needs no voxel. */
export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** True for a header file (.hdr) whose voxels lie in an .img file. */
  readonly pair: boolean;
  /** Sizes of the three spatial axes as stored; 1 where the file has fewer. */
  readonly sizeVoxels: readonly [number, number, number];
  /** Volumes in the file: the product of all sizes beyond the third axis. The first of those axes runs fastest. */
  readonly frames: number;
  readonly datatype: NiftiDatatype;
  /** Where the voxels begin in the file that holds them. */
  readonly voxelOffsetBytes: number;
  /** value = stored · slope + intercept; 1 and 0 when the file sets none. */
  readonly slope: number;
  readonly intercept: number;
  /** 4×4, row-major, stored voxel index → millimetres. */
  readonly affine: readonly number[];
  /** One line each: what a reader should know although the file can be read. */
  readonly remarks: readonly string[];
  /** The header itself: 348 or 540 bytes, own copy. */
  readonly bytes: Uint8Array;
}

/** As many bytes as the larger header has; a shorter file gives fewer. */
export const LARGEST_HEADER_BYTES = 540;
/** A whole-body scan of 512 × 512 × 2048; what claims more is refused before any memory is taken. */
export const MAXIMUM_VOXELS = 2 ** 29;
/** More than the longest functional series has; a header could claim billions of tiny frames. */
const MAXIMUM_FRAMES = 2 ** 16;

const HEADER_BYTES = { 1: 348, 2: 540 } as const;
const MAGIC = { 1: { at: 344, single: 'n+1', pair: 'ni1' }, 2: { at: 4, single: 'n+2', pair: 'ni2' } } as const;

/**
 * Parses the first bytes of a NIfTI-1 or NIfTI-2 file of either byte order and refuses what no reader should follow.
 * The library sees the bare header only, never its extensions: it walks them without a bound.
 */
export function parseNiftiHeader(start: Uint8Array): NiftiHeader {
  const version = versionOf(start);
  const bytes = new Uint8Array(start.subarray(0, HEADER_BYTES[version])); // a copy, also of a Buffer
  if (bytes.byteLength < HEADER_BYTES[version]) throw unreadable('the header is cut short');
  const magic = magicOf(bytes, version);
  const header = version === 1 ? new NIFTI1() : new NIFTI2();
  header.readHeader(bytes.buffer);
  const sizes = sizesOf(header);
  const datatype = datatypeOf(header.datatypeCode);
  if (header.numBitsPerVoxel !== 8 * datatype.bytes) {
    throw unreadable(`bits per voxel (${header.numBitsPerVoxel}) do not fit the data type ${datatype.name}`);
  }
  const pair = magic === MAGIC[version].pair;
  const affine = affineOf(header, new DataView(bytes.buffer), version);
  if (!affine.every(Number.isFinite)) throw unsuitable('its orientation holds numbers that are not finite');
  const scaling = scalingOf(header);
  return {
    version,
    littleEndian: header.littleEndian,
    pair,
    ...sizes,
    datatype,
    voxelOffsetBytes: voxelOffsetOf(header, version, pair),
    slope: scaling.slope,
    intercept: scaling.intercept,
    affine,
    remarks: [...scaling.remarks, ...remarksOn({ header, version, pair, affine })],
    bytes,
  };
}

function versionOf(start: Uint8Array): 1 | 2 {
  if (start.byteLength === 0) throw unreadable('the file is empty');
  if (start.byteLength < 4) throw unreadable('not a NIfTI file');
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  for (const littleEndian of [true, false]) {
    const size = view.getInt32(0, littleEndian);
    if (size === HEADER_BYTES[1]) return 1;
    if (size === HEADER_BYTES[2]) return 2;
  }
  throw unreadable('not a NIfTI file');
}

function magicOf(bytes: Uint8Array, version: 1 | 2): string {
  const { at, single, pair } = MAGIC[version];
  const magic = String.fromCharCode(...bytes.subarray(at, at + 3));
  if (magic !== single && magic !== pair) {
    throw unreadable(version === 1 && bytes[at] === 0 ? 'an Analyze 7.5 header, not NIfTI' : 'the NIfTI magic is missing');
  }
  return magic;
}

function sizesOf(header: NIFTI1 | NIFTI2): Pick<NiftiHeader, 'sizeVoxels' | 'frames'> {
  const dimensions = header.dims[0] ?? 0;
  if (!(dimensions >= 1 && dimensions <= 7)) throw unreadable(`the number of dimensions is ${dimensions}`);
  const sizes = header.dims.slice(1, dimensions + 1);
  const wrong = sizes.find((size) => !(size >= 1));
  if (wrong !== undefined) throw unreadable(`one side is ${wrong} voxels long`);
  const [x = 1, y = 1, z = 1, ...further] = sizes;
  if (!(x * y * z <= MAXIMUM_VOXELS)) {
    throw unsuitable(`the header claims ${(x * y * z).toExponential(1)} voxels, more than ${MAXIMUM_VOXELS}`);
  }
  const frames = further.reduce((product, size) => product * size, 1);
  if (!(frames <= MAXIMUM_FRAMES)) throw unsuitable(`the header claims ${frames} frames, more than ${MAXIMUM_FRAMES}`);
  return { sizeVoxels: [x, y, z], frames };
}

function scalingOf({ scl_slope: slope, scl_inter: intercept }: NIFTI1 | NIFTI2) {
  if (slope === 0) return { slope: 1, intercept: 0, remarks: [] };
  if (!Number.isFinite(slope)) {
    return { slope: 1, intercept: 0, remarks: [`the scale factor is ${slope}: its voxels were read unscaled`] };
  }
  if (!Number.isFinite(intercept)) throw unsuitable(`the scale is not finite (slope ${slope}, intercept ${intercept})`);
  return { slope, intercept, remarks: [] };
}

function voxelOffsetOf(header: NIFTI1 | NIFTI2, version: 1 | 2, pair: boolean): number {
  const offset = Math.floor(header.vox_offset);
  if (!Number.isSafeInteger(offset) || offset < 0) throw unreadable('the voxels begin outside the file');
  if (pair) return offset;
  const least = HEADER_BYTES[version] + 4;
  if (offset !== 0 && offset < least) throw unreadable(`the voxels begin inside the header (at byte ${offset})`);
  return Math.max(offset, least);
}
