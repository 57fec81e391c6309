const BINS = 64;
const BUCKETS = 1 << 16;
const LOW_SHARE = 0.005;
const HIGH_SHARE = 0.995;

/** Of a volume's values as read (Hounsfield units, or a scanner's own). */
export interface IntensityStatistics {
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  /** Percentiles 0.5 and 99.5 of the non-zero voxels, linear between neighbours; 0 when every voxel is zero. */
  readonly lowPercentile: number;
  readonly highPercentile: number;
  /** Counts in 64 equal bins from minimum to maximum; a constant volume has all its voxels in the first. */
  readonly histogram: readonly number[];
}

/**
 * Measures finite voxels in two passes, without a copy. Percentiles are exact: the first pass counts the upper halves of the
 * floats' sortable bit patterns, the second the lower halves where a percentile lies.
 */
export function describeIntensities(voxels: Float32Array): IntensityStatistics {
  if (voxels.length === 0) throw new RangeError('no voxels to describe');
  const bits = new Int32Array(voxels.buffer, voxels.byteOffset, voxels.length);
  const { minimum, maximum, sum, nonZero, upper } = measure(voxels, bits);
  const ranks = [...ranksAround(LOW_SHARE, nonZero), ...ranksAround(HIGH_SHARE, nonZero)].map((rank) => locate(upper, rank));
  const { histogram, lower } = countBins(voxels, bits, {
    minimum,
    maximum,
    slots: slotsOf(ranks.map(({ bucket }) => bucket)),
  });
  // All voxels are zero: there is nothing to rank.
  if (nonZero === 0) return { minimum, maximum, mean: 0, lowPercentile: 0, highPercentile: 0, histogram };
  const values = ranks.map(({ bucket, within }) => floatOf(bucket, locate(lowerHalf(lower, ranks, bucket), within).bucket));
  return {
    minimum,
    maximum,
    mean: sum / voxels.length,
    lowPercentile: between(values[0], values[1], LOW_SHARE * (nonZero - 1)),
    highPercentile: between(values[2], values[3], HIGH_SHARE * (nonZero - 1)),
    histogram,
  };
}

function measure(voxels: Float32Array, bits: Int32Array) {
  const upper = new Uint32Array(BUCKETS);
  let minimum = Infinity;
  let maximum = -Infinity;
  let sum = 0;
  let zeros = 0;
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    if (value === 0) {
      zeros++;
      continue;
    }
    sum += value;
    const bucket = sortable(bits[i] as number) >>> 16;
    upper[bucket] = (upper[bucket] as number) + 1;
  }
  return { minimum, maximum, sum, nonZero: voxels.length - zeros, upper };
}

interface BinPlan {
  readonly minimum: number;
  readonly maximum: number;
  /** For each upper half, which of the wanted ones it is, from 1; 0 for none. */
  readonly slots: Uint8Array;
}

function countBins(voxels: Float32Array, bits: Int32Array, { minimum, maximum, slots }: BinPlan) {
  const counts = new Uint32Array(BINS + 1);
  const lower = new Uint32Array(4 * BUCKETS);
  const range = maximum > minimum ? maximum - minimum : Infinity;
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    const bin = (((value - minimum) / range) * BINS) | 0;
    counts[bin] = (counts[bin] as number) + 1;
    if (value === 0) continue;
    const pattern = sortable(bits[i] as number);
    const slot = slots[pattern >>> 16] as number;
    if (slot === 0) continue;
    const at = (slot - 1) * BUCKETS + (pattern & (BUCKETS - 1));
    lower[at] = (lower[at] as number) + 1;
  }
  const histogram = Array.from(counts.subarray(0, BINS));
  histogram[BINS - 1] = (histogram[BINS - 1] ?? 0) + (counts[BINS] ?? 0); // the largest value belongs to the last bin
  return { histogram, lower };
}

function ranksAround(share: number, count: number): [number, number] {
  const rank = Math.floor(share * (count - 1));
  return [Math.max(0, rank), Math.max(0, Math.min(count - 1, rank + 1))];
}

function between(low = 0, high = 0, position: number): number {
  return low + (high - low) * (position - Math.floor(position));
}

function slotsOf(buckets: readonly number[]): Uint8Array {
  const slots = new Uint8Array(BUCKETS);
  [...new Set(buckets)].forEach((bucket, index) => (slots[bucket] = index + 1));
  return slots;
}

function lowerHalf(lower: Uint32Array, ranks: readonly { readonly bucket: number }[], bucket: number): Uint32Array {
  const slot = [...new Set(ranks.map((rank) => rank.bucket))].indexOf(bucket);
  return lower.subarray(slot * BUCKETS, (slot + 1) * BUCKETS);
}

// IEEE 754: flipping the sign bit of positives and all bits of negatives makes the patterns sort like the numbers.
function sortable(pattern: number): number {
  return pattern ^ ((pattern >> 31) | 0x80000000);
}

/** Where the value of a rank is counted, and its rank within that bucket. */
function locate(counts: Uint32Array, rank: number): { bucket: number; within: number } {
  let before = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket] as number;
    if (before + count > rank) return { bucket, within: rank - before };
    before += count;
  }
  return { bucket: counts.length - 1, within: 0 };
}

function floatOf(upper: number, lower: number): number {
  const key = (upper << 16) | lower;
  const pattern = key < 0 ? key ^ 0x80000000 : ~key;
  return new Float32Array(new Int32Array([pattern]).buffer)[0] ?? 0;
}
