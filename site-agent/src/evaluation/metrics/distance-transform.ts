/**
 * Exact squared Euclidean distance transform (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions",
 * Theory of Computing 2012): one pass of lower envelopes of parabolas along each axis, for spacings that differ.
 */

/** Sides and spacing in the order of a row-major [x][y][z] array. */
export interface DistanceGrid {
  readonly sizeVoxels: readonly [number, number, number];
  readonly spacingMm: readonly [number, number, number];
}

/** For each voxel, the squared distance in mm² to the nearest voxel that is not 0; Infinity everywhere when there is none. */
export function squaredDistances(sites: Uint8Array, { sizeVoxels, spacingMm }: DistanceGrid): Float64Array {
  const distances = new Float64Array(sites.length).fill(Infinity);
  for (let voxel = 0; voxel < sites.length; voxel++) if (sites[voxel] !== 0) distances[voxel] = 0;
  const [, ny, nz] = sizeVoxels;
  const strides = [ny * nz, nz, 1] as const;
  for (const axis of [2, 1, 0] as const) {
    const [one, other] = [0, 1, 2].filter((each) => each !== axis) as [0 | 1 | 2, 0 | 1 | 2];
    const envelope = new Envelope(sizeVoxels[axis], spacingMm[axis]);
    for (let i = 0; i < sizeVoxels[one]; i++) {
      for (let j = 0; j < sizeVoxels[other]; j++) {
        envelope.replace(distances, i * strides[one] + j * strides[other], strides[axis]);
      }
    }
  }
  return distances;
}

/** The lower envelope of the parabolas that stand on one line of voxels. */
class Envelope {
  private readonly heights: Float64Array;
  private readonly roots: Int32Array;
  /** Where the parabola of the same index begins to be the lowest, in millimetres from the line's first voxel. */
  private readonly begins: Float64Array;

  constructor(
    private readonly voxels: number,
    private readonly spacingMm: number,
  ) {
    this.heights = new Float64Array(voxels);
    this.roots = new Int32Array(voxels);
    this.begins = new Float64Array(voxels);
  }

  /** Puts the distance along this line into each of its voxels. */
  replace(values: Float64Array, start: number, stride: number): void {
    const { voxels, spacingMm, heights, roots, begins } = this;
    let last = -1;
    for (let voxel = 0; voxel < voxels; voxel++) {
      const height = values[start + voxel * stride] as number;
      heights[voxel] = height;
      if (height === Infinity) continue;
      let begin = -Infinity;
      while (last >= 0) {
        begin = this.meeting(roots[last] as number, voxel);
        if (begin > (begins[last] as number)) break;
        last--;
        begin = -Infinity;
      }
      roots[++last] = voxel;
      begins[last] = begin;
    }
    if (last < 0) return;
    let lowest = 0;
    for (let voxel = 0; voxel < voxels; voxel++) {
      const at = voxel * spacingMm;
      while (lowest < last && (begins[lowest + 1] as number) < at) lowest++;
      const root = roots[lowest] as number;
      values[start + voxel * stride] = ((voxel - root) * spacingMm) ** 2 + (heights[root] as number);
    }
  }

  /** Where the parabola on a later voxel becomes the lower one. */
  private meeting(earlier: number, later: number): number {
    const [a, b] = [earlier * this.spacingMm, later * this.spacingMm];
    return ((this.heights[later] as number) + b * b - ((this.heights[earlier] as number) + a * a)) / (2 * (b - a));
  }
}
