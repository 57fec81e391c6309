/**
 * NIfTI orientation: sform if its code says so, else qform, else voxel sizes alone, as nibabel chooses
 * (NIfTI-1 data format document, "3D image orientation and location in space").
 */
import type { NIFTI1, NIFTI2 } from 'nifti-reader-js';
import { unsuitable } from '../volume-fault.js';

const HIGHEST_KNOWN_CODE = 5;

/** 4×4, row-major, stored voxel index → millimetres. */
export function affineOf(header: NIFTI1 | NIFTI2, bytes: DataView, version: 1 | 2): number[] {
  if (isKnown(header.sform_code)) return sformOf(bytes, version, header.littleEndian);
  if (isKnown(header.qform_code)) return qformOf(header, version);
  return voxelSizeAffine(header);
}

/** The qform of a header that has one beside the sform that counts; undefined without, or when it is no rotation. */
export function secondAffineOf(header: NIFTI1 | NIFTI2, version: 1 | 2): number[] | undefined {
  if (!isKnown(header.sform_code) || !isKnown(header.qform_code) || unusableVoxelSize(header) !== undefined) return undefined;
  return isRotation(header, version) ? qformOf(header, version) : undefined;
}

// An unknown code is treated like 0, "not set".
function isKnown(code: number): boolean {
  return code >= 1 && code <= HIGHEST_KNOWN_CODE;
}

// Read from the bytes: the reader library fills its affine by another rule.
function sformOf(bytes: DataView, version: 1 | 2, littleEndian: boolean): number[] {
  const rows = Array.from({ length: 12 }, (_, index) =>
    version === 1 ? bytes.getFloat32(280 + 4 * index, littleEndian) : bytes.getFloat64(400 + 8 * index, littleEndian),
  );
  return [...rows, 0, 0, 0, 1];
}

function qformOf(header: NIFTI1 | NIFTI2, version: 1 | 2): number[] {
  refuseVoxelSizes(header);
  if (!isRotation(header, version)) throw unsuitable('its orientation (qform) is not a rotation');
  const { quatern_b: b, quatern_c: c, quatern_d: d } = header;
  const a = Math.sqrt(Math.max(0, realPartSquared(header)));
  const s = 2 / (a * a + b * b + c * c + d * d);
  const [dx, dy, dz] = statedSizes(header);
  const flippedDz = header.pixDims[0] === -1 ? -dz : dz;
  return [
    ...[(1 - s * (c * c + d * d)) * dx, s * (b * c - a * d) * dy, s * (b * d + a * c) * flippedDz, header.qoffset_x],
    ...[s * (b * c + a * d) * dx, (1 - s * (b * b + d * d)) * dy, s * (c * d - a * b) * flippedDz, header.qoffset_y],
    ...[s * (b * d - a * c) * dx, s * (c * d + a * b) * dy, (1 - s * (b * b + c * c)) * flippedDz, header.qoffset_z],
    ...[0, 0, 0, 1],
  ];
}

function isRotation(header: NIFTI1 | NIFTI2, version: 1 | 2): boolean {
  const rounding = version === 1 ? 3 * 2 ** -23 : 3 * 2 ** -52;
  return realPartSquared(header) >= -rounding;
}

function realPartSquared({ quatern_b: b, quatern_c: c, quatern_d: d }: NIFTI1 | NIFTI2): number {
  return 1 - (b * b + c * c + d * d);
}

// Without orientation: x to the left, the origin in the middle of the grid.
function voxelSizeAffine(header: NIFTI1 | NIFTI2): number[] {
  refuseVoxelSizes(header);
  const [dx, dy, dz] = voxelSizes(header);
  const middle = (axis: number): number => (sizeAlong(header, axis) - 1) / 2;
  return [-dx, 0, 0, middle(1) * dx, 0, dy, 0, -middle(2) * dy, 0, 0, dz, -middle(3) * dz, 0, 0, 0, 1];
}

function refuseVoxelSizes(header: NIFTI1 | NIFTI2): void {
  const wrong = unusableVoxelSize(header);
  if (wrong !== undefined) throw unsuitable(`one voxel size is ${wrong}`);
}

/** A voxel size of an axis in use that is zero or not a number; the sform does without it. */
export function unusableVoxelSize(header: NIFTI1 | NIFTI2): number | undefined {
  return header.pixDims.slice(1, Math.min(header.dims[0] ?? 0, 3) + 1).find((size) => !Number.isFinite(size) || size === 0);
}

/** Also for axes that the file does not have: a single slice is as thick as the header says. */
function statedSizes({ pixDims }: NIFTI1 | NIFTI2): [number, number, number] {
  const size = (axis: number): number => {
    const stated = Math.abs(pixDims[axis] ?? 1);
    return Number.isFinite(stated) && stated > 0 ? stated : 1;
  };
  return [size(1), size(2), size(3)];
}

/** Sizes of the spatial axes in use; 1 for the others. */
export function voxelSizes(header: NIFTI1 | NIFTI2): [number, number, number] {
  const size = (axis: number): number => ((header.dims[0] ?? 0) >= axis ? Math.abs(header.pixDims[axis] ?? 1) : 1);
  return [size(1), size(2), size(3)];
}

function sizeAlong(header: NIFTI1 | NIFTI2, axis: number): number {
  return (header.dims[0] ?? 0) >= axis ? (header.dims[axis] ?? 1) : 1;
}
