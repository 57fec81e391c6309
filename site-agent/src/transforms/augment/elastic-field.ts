/**
 * A smooth random displacement of every voxel: uniform cubic B-splines over a coarse grid of normally distributed vectors
 * (free-form deformation; Rueckert et al., IEEE TMI 1999). Vectors are cut at 0.4 of the grid's spacing, below which such a
 * field folds nowhere (Choi and Lee, 2000: 1 / 2.48 in three dimensions).
 */
import { Random } from '@consilium/shared/kernel';
import { fillNormal } from '@consilium/shared/models';
import type { PatchSize } from '../../training/patch-batch.js';

export interface ElasticDrawing {
  /** Voxels between two vectors of the grid, on every axis. */
  readonly spacingVoxels: number;
  /** Standard deviation of each component of a vector, in voxels; the field's is about a third of it. */
  readonly deviationVoxels: number;
  readonly seed: string;
}

export const FOLDLESS_SHARE = 0.4;

/** Vectors on an axis: one before the first voxel, and enough that every voxel lies among four of them. */
export function gridLength(sideVoxels: number, spacingVoxels: number): number {
  return Math.floor((sideVoxels - 1) / spacingVoxels) + 4;
}

/** The grid's vectors, row-major [x][y][z][component]. */
export function gridVectors({ spacingVoxels, deviationVoxels, seed }: ElasticDrawing, sizeVoxels: PatchSize): Float32Array {
  const [gx, gy, gz] = sizeVoxels.map((side) => gridLength(side, spacingVoxels)) as [number, number, number];
  const vectors = fillNormal(new Float32Array(gx * gy * gz * 3), new Random(seed), deviationVoxels);
  const most = FOLDLESS_SHARE * spacingVoxels;
  for (let i = 0; i < vectors.length; i++) vectors[i] = Math.min(most, Math.max(-most, vectors[i] as number));
  return vectors;
}

/**
 * Gives the displacements of one z-run at a time: sums the grid over x once for each x, over y once for each run, so that a
 * voxel costs four products for each component.
 */
export class ElasticField {
  private readonly lengths: readonly [number, number, number];
  private readonly weights: readonly Float64Array[];
  private readonly plane: Float64Array;
  private readonly line: Float64Array;
  /** Of the four vectors around each z the first one's place. */
  private readonly firsts: Int32Array;
  private planeOf = -1;

  /** @param vectors as {@link gridVectors} gives them. */
  constructor(
    private readonly vectors: Float32Array,
    private readonly spacingVoxels: number,
    private readonly sizeVoxels: PatchSize,
  ) {
    this.lengths = sizeVoxels.map((side) => gridLength(side, spacingVoxels)) as [number, number, number];
    this.weights = sizeVoxels.map((side) => splineWeights(side, spacingVoxels));
    this.firsts = Int32Array.from({ length: sizeVoxels[2] }, (_, z) => Math.floor(z / spacingVoxels));
    this.plane = new Float64Array(this.lengths[1] * this.lengths[2] * 3);
    this.line = new Float64Array(this.lengths[2] * 3);
  }

  /** Adds the displacements of the voxels (x, y, 0 …) to three arrays of source coordinates. */
  addRun(x: number, y: number, [dx, dy, dz]: readonly [Float64Array, Float64Array, Float64Array]): void {
    if (this.planeOf !== x) {
      this.sumOver(x, 0, this.vectors, this.plane);
      this.planeOf = x;
    }
    this.sumOver(y, 1, this.plane, this.line);
    const { line } = this;
    const weights = this.weights[2] as Float64Array;
    for (let z = 0; z < this.sizeVoxels[2]; z++) {
      const at = 3 * (this.firsts[z] as number);
      const w0 = weights[4 * z] as number;
      const w1 = weights[4 * z + 1] as number;
      const w2 = weights[4 * z + 2] as number;
      const w3 = weights[4 * z + 3] as number;
      dx[z] = (dx[z] as number) + mix4(line, at, w0, w1, w2, w3);
      dy[z] = (dy[z] as number) + mix4(line, at + 1, w0, w1, w2, w3);
      dz[z] = (dz[z] as number) + mix4(line, at + 2, w0, w1, w2, w3);
    }
  }

  /** Four slices of `from` around a voxel of the axis, weighted and summed into `into`. */
  private sumOver(voxel: number, axis: 0 | 1, from: Float32Array | Float64Array, into: Float64Array): void {
    const weights = this.weights[axis] as Float64Array;
    const first = Math.floor(voxel / this.spacingVoxels);
    into.fill(0);
    for (let k = 0; k < 4; k++) {
      const weight = weights[4 * voxel + k] as number;
      const slice = (first + k) * into.length;
      for (let i = 0; i < into.length; i++) into[i] = (into[i] as number) + weight * (from[slice + i] as number);
    }
  }
}

/** One component of four neighbouring vectors, weighted. */
function mix4(line: Float64Array, at: number, w0: number, w1: number, w2: number, w3: number): number {
  const near = w0 * (line[at] as number) + w1 * (line[at + 3] as number);
  return near + w2 * (line[at + 6] as number) + w3 * (line[at + 9] as number);
}

/** The four weights of the uniform cubic B-spline at each voxel of an axis. */
function splineWeights(sideVoxels: number, spacingVoxels: number): Float64Array {
  const weights = new Float64Array(4 * sideVoxels);
  for (let voxel = 0; voxel < sideVoxels; voxel++) {
    const t = voxel / spacingVoxels - Math.floor(voxel / spacingVoxels);
    const u = 1 - t;
    weights[4 * voxel] = (u * u * u) / 6;
    weights[4 * voxel + 1] = (3 * t * t * t - 6 * t * t + 4) / 6;
    weights[4 * voxel + 2] = (3 * u * u * u - 6 * u * u + 4) / 6;
    weights[4 * voxel + 3] = (t * t * t) / 6;
  }
  return weights;
}
