/**
 * Effective rank (Roy and Vetterli, EUSIPCO 2007): the exponential of the entropy of the singular values' shares of their sum.
 * Of features without labels it tells a collapse (RankMe: Garrido et al., ICML 2023): 1 when all rows point the same way.
 */

/** Enough for any matrix of the sizes that a probe has; a handful is usual. */
const MOST_SWEEPS = 60;
const TOLERANCE = 1e-12;

/** Of a matrix given row by row, not centred, in 64 bits; 0 for one of zeros. At most the smaller of its sides. */
export function effectiveRank(values: Float32Array, rows: number): number {
  const singular = singularValues(values, rows);
  const sum = singular.reduce((total, value) => total + value, 0);
  if (sum === 0) return 0;
  const entropy = singular.reduce((total, value) => total - (value > 0 ? (value / sum) * Math.log(value / sum) : 0), 0);
  return Math.exp(entropy);
}

/** By one-sided Jacobi rotations (Hestenes, 1958): the vectors along the shorter side are turned until they are orthogonal. */
export function singularValues(values: Float32Array, rows: number): number[] {
  const vectors = shorterSide(values, rows);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let turned = false;
    for (let i = 0; i < vectors.length; i++)
      for (let j = i + 1; j < vectors.length; j++)
        turned = turn(vectors[i] as Float64Array, vectors[j] as Float64Array) || turned;
    if (!turned) break;
  }
  return vectors.map((vector) => Math.sqrt(dot(vector, vector))).sort((a, b) => b - a);
}

/** Turns two vectors in their plane so that they become orthogonal; false when they are. */
function turn(a: Float64Array, b: Float64Array): boolean {
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  if (Math.abs(ab) <= TOLERANCE * Math.sqrt(aa * bb)) return false;
  const ratio = (bb - aa) / (2 * ab);
  const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.sqrt(1 + ratio * ratio));
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k] as number, b[k] as number];
    a[k] = cosine * x - sine * y;
    b[k] = sine * x + cosine * y;
  }
  return true;
}

/** Rows or columns, whichever are fewer. */
function shorterSide(values: Float32Array, rows: number): Float64Array[] {
  const columns = values.length / rows;
  const at = (row: number, column: number): number => values[row * columns + column] as number;
  if (rows <= columns)
    return Array.from({ length: rows }, (_, row) => Float64Array.from({ length: columns }, (_, column) => at(row, column)));
  return Array.from({ length: columns }, (_, column) => Float64Array.from({ length: rows }, (_, row) => at(row, column)));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] as number) * (b[k] as number);
  return sum;
}
