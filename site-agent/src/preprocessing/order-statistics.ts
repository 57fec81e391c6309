const BITS = 16;
const BUCKETS = 1 << BITS;

/**
 * Exact percentiles (0–100) with linear interpolation between neighbours, as NumPy's default. Linear time: two counting
 * passes per order statistic over the sortable bit patterns of 32-bit floats. Values must be finite; none gives 0.
 */
export function percentilesOf(values: Float32Array, percents: readonly number[]): number[] {
  if (values.length === 0) return percents.map(() => 0);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const high = countHigh(bits);
  return percents.map((percent) => {
    const position = (percent / 100) * (values.length - 1);
    const rank = Math.floor(position);
    const low = valueAtRank(bits, high, rank);
    const share = position - rank;
    return share === 0 ? low : low + (valueAtRank(bits, high, rank + 1) - low) * share;
  });
}

/**
 * A copy of the finite values that are not zero: background of MR is. (Many times faster than `filter` on typed arrays.)
 */
export function nonZero(values: Float32Array): Float32Array {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== 0 && Number.isFinite(values[i])) count++;
  const kept = new Float32Array(count);
  count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== 0 && Number.isFinite(values[i])) kept[count++] = values[i] as number;
  return kept;
}

// IEEE 754: flipping the sign bit of positives and all bits of negatives makes the patterns sort like the numbers.
function sortable(bits: number): number {
  return (bits & 0x80000000) === 0 ? (bits | 0x80000000) >>> 0 : ~bits >>> 0;
}

function countHigh(bits: Uint32Array): Uint32Array {
  const counts = new Uint32Array(BUCKETS);
  for (let i = 0; i < bits.length; i++) {
    const bucket = sortable(bits[i] as number) >>> BITS;
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return counts;
}

function valueAtRank(bits: Uint32Array, high: Uint32Array, rank: number): number {
  const upper = locate(high, rank);
  const counts = new Uint32Array(BUCKETS);
  for (let i = 0; i < bits.length; i++) {
    const key = sortable(bits[i] as number);
    if (key >>> BITS !== upper.bucket) continue;
    const bucket = key & (BUCKETS - 1);
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  const lower = locate(counts, rank - upper.before);
  return floatOf(((upper.bucket << BITS) | lower.bucket) >>> 0);
}

function locate(counts: Uint32Array, rank: number): { bucket: number; before: number } {
  let before = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[bucket] as number;
    if (before + count > rank) return { bucket, before };
    before += count;
  }
  return { bucket: BUCKETS - 1, before };
}

function floatOf(key: number): number {
  const pattern = (key & 0x80000000) === 0 ? ~key >>> 0 : key ^ 0x80000000;
  return new Float32Array(new Uint32Array([pattern]).buffer)[0] ?? 0;
}
