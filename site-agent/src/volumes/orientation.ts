/** 4×4 matrix, row-major. */
export type Affine = readonly number[];

export interface Orientation {
  /** For each stored axis, the RAS axis it lies closest to. */
  readonly rasAxis: readonly [number, number, number];
  readonly flipped: readonly [boolean, boolean, boolean];
}

type Triple = [number, number, number];
type Matrix3 = [Triple, Triple, Triple];

/**
 * The axis permutation and flips that bring stored axes closest to RAS+, chosen as nibabel's `as_closest_canonical` does:
 * the orthogonal factor of the affine's direction part decides, the stored axis that lies closest to any first. Undefined for a singular affine.
 */
export function closestOrientation(affine: Affine): Orientation | undefined {
  const rotation = orthogonalFactor(directionsOf(affine));
  if (rotation === undefined) return undefined;
  const rasAxis: Triple = [0, 0, 0];
  const flipped: [boolean, boolean, boolean] = [false, false, false];
  const free = [true, true, true];
  for (const axis of strongestFirst(rotation)) {
    const column = rotation.map((row, index) => (free[index] === true ? row[axis] : 0));
    const best = column.reduce(
      (top, value, index) => (Math.abs(value) > Math.abs(column[top] ?? 0) ? index : top),
      free.indexOf(true),
    );
    rasAxis[axis] = best;
    flipped[axis] = (column[best] ?? 0) < 0;
    free[best] = false;
  }
  return { rasAxis, flipped };
}

/** Stored axes by how clearly they lie along any one RAS axis; equals stay in order. */
function strongestFirst(rotation: Matrix3): (0 | 1 | 2)[] {
  const strength = (axis: 0 | 1 | 2): number => Math.max(...rotation.map((row) => row[axis] ** 2));
  return ([0, 1, 2] as const).toSorted((a, b) => strength(b) - strength(a));
}

/** The affine of the reoriented grid: RAS voxel index → millimetres. */
export function reorientAffine(affine: Affine, { rasAxis, flipped }: Orientation, storedSize: readonly number[]): number[] {
  const result = [0, 0, 0, affine[3] ?? 0, 0, 0, 0, affine[7] ?? 0, 0, 0, 0, affine[11] ?? 0, 0, 0, 0, 1];
  for (let row = 0; row < 3; row++) {
    for (const axis of [0, 1, 2] as const) {
      const entry = affine[4 * row + axis] ?? 0;
      result[4 * row + rasAxis[axis]] = flipped[axis] ? 0 - entry : entry + 0; // never −0
      if (flipped[axis]) result[4 * row + 3] = (result[4 * row + 3] ?? 0) + entry * ((storedSize[axis] ?? 1) - 1);
    }
  }
  return result;
}

const TOWARDS = ['RL', 'AP', 'SI'] as const;

/** Towards where the stored axes grow, such as "LPS". */
export function orientationName({ rasAxis, flipped }: Orientation): string {
  return rasAxis.map((axis, index) => TOWARDS[axis]?.[flipped[index] === true ? 1 : 0] ?? '?').join('');
}

/** The orientation that a name such as "LPS" or "asr" stands for; undefined when it names no three different axes. */
export function orientationOf(name: string): Orientation | undefined {
  const letters = [...name.toUpperCase()];
  const axes = letters.map((letter) => TOWARDS.findIndex((pair) => pair.includes(letter)));
  if (letters.length !== 3 || new Set(axes).size !== 3 || axes.includes(-1)) return undefined;
  const [x = 0, y = 0, z = 0] = axes;
  const isFlipped = (index: number): boolean => TOWARDS[axes[index] ?? 0]?.[1] === letters[index];
  return { rasAxis: [x, y, z], flipped: [isFlipped(0), isFlipped(1), isFlipped(2)] };
}

/** Lengths of the affine's columns: millimetres between neighbouring voxels. */
export function spacingOf(affine: Affine): Triple {
  const length = (column: number): number => Math.hypot(affine[column] ?? 0, affine[4 + column] ?? 0, affine[8 + column] ?? 0);
  return [length(0), length(1), length(2)];
}

/** The reverse: a RAS grid's affine, for the same grid stored in an orientation. */
export function storeAffine(affine: Affine, { rasAxis, flipped }: Orientation, rasSize: readonly number[]) {
  const result = [0, 0, 0, affine[3] ?? 0, 0, 0, 0, affine[7] ?? 0, 0, 0, 0, affine[11] ?? 0, 0, 0, 0, 1];
  for (let row = 0; row < 3; row++) {
    for (const axis of [0, 1, 2] as const) {
      const entry = affine[4 * row + rasAxis[axis]] ?? 0;
      result[4 * row + axis] = flipped[axis] ? 0 - entry : entry + 0; // never −0
      if (flipped[axis]) result[4 * row + 3] = (result[4 * row + 3] ?? 0) + entry * ((rasSize[rasAxis[axis]] ?? 1) - 1);
    }
  }
  return result;
}

/** Where stored voxels lie in the RAS array [x][y][z]: index = base + Σ step[axis] · storedIndex[axis]. */
export function rasLayout(storedSize: readonly number[], { rasAxis, flipped }: Orientation) {
  const sizeVoxels: Triple = [1, 1, 1];
  for (const axis of [0, 1, 2] as const) sizeVoxels[rasAxis[axis]] = storedSize[axis] ?? 1;
  const strides: Triple = [sizeVoxels[1] * sizeVoxels[2], sizeVoxels[2], 1];
  const steps: Triple = [0, 0, 0];
  let base = 0;
  for (const axis of [0, 1, 2] as const) {
    const stride = strides[rasAxis[axis]] ?? 0;
    steps[axis] = flipped[axis] ? -stride : stride;
    if (flipped[axis]) base += ((storedSize[axis] ?? 1) - 1) * stride;
  }
  return { sizeVoxels, base, steps };
}

function directionsOf(affine: Affine): Matrix3 {
  const spacing = spacingOf(affine).map((length) => (length === 0 ? 1 : length));
  const row = (r: number): Triple => [0, 1, 2].map((c) => (affine[4 * r + c] ?? 0) / (spacing[c] ?? 1)) as Triple;
  return [row(0), row(1), row(2)];
}

/** Polar decomposition by Newton's iteration (Higham, SIAM J. Sci. Stat. Comput. 1986): X ← (X + X⁻ᵀ) / 2. */
function orthogonalFactor(matrix: Matrix3): Matrix3 | undefined {
  let current = matrix;
  for (let step = 0; step < 60; step++) {
    const inverse = inverseTransposed(current);
    if (inverse === undefined) return undefined;
    const next = current.map((row, r) => row.map((value, c) => (value + (inverse[r]?.[c] ?? 0)) / 2)) as Matrix3;
    const change = Math.max(...next.flatMap((row, r) => row.map((value, c) => Math.abs(value - (current[r]?.[c] ?? 0)))));
    current = next;
    if (change < 1e-12) break;
  }
  return current;
}

function inverseTransposed([a, b, c]: Matrix3): Matrix3 | undefined {
  const rows: Matrix3 = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = a[0] * rows[0][0] + a[1] * rows[0][1] + a[2] * rows[0][2];
  if (!Number.isFinite(determinant) || Math.abs(determinant) < 1e-9) return undefined;
  return rows.map((row) => row.map((value) => value / determinant)) as Matrix3;
}

function cross(u: Triple, v: Triple): Triple {
  return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
}
