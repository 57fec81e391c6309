/** What a scanner measures. Training knows these two. */
export type Modality = 'CT' | 'MR';

export type Triple = readonly [x: number, y: number, z: number];

/** The stored form of a volume: enough to write voxels back into the geometry of the file they came from. */
export interface StoredGeometry {
  /** Sizes in the order of the file's axes. */
  readonly sizeVoxels: Triple;
  /** 4×4, row-major: stored voxel index → millimetres, RAS+. */
  readonly affine: readonly number[];
  /** For each stored axis, the RAS axis (0 x, 1 y, 2 z) it lies closest to. */
  readonly rasAxis: Triple;
  /** For each stored axis, whether it runs against its RAS axis. */
  readonly flipped: readonly [boolean, boolean, boolean];
  /** A NIfTI header as stored (348 or 540 bytes): qform, sform and units are copied from it. Undefined for DICOM. */
  readonly headerBytes: Uint8Array | undefined;
}

/**
 * A 3D image with its place in space. Axes are reoriented to the closest RAS+ order: x grows to the right, y to the front,
 * z upwards. Nothing is resampled.
 */
export interface Volume {
  readonly sizeVoxels: Triple;
  readonly spacingMm: Triple;
  /** 4×4, row-major: voxel index in RAS order → millimetres. */
  readonly affine: readonly number[];
  /** Row-major [x][y][z], z fastest; scaled by the file's slope and intercept. */
  readonly voxels: Float32Array;
  /** Voxels that were NaN or infinite and have become the smallest finite value. */
  readonly repairedVoxels: number;
  readonly source: StoredGeometry;
}
