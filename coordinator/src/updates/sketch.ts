/**
 * A count sketch of an update: a random projection on few buckets that keeps inner products, so that the angle between two
 * updates is known from a few kilobytes of each. M. Charikar, K. Chen and M. Farach-Colton, "Finding frequent items in data
 * streams" (ICALP 2002), one row; the error of inner products as in G. Cormode and M. Garofalakis, "Sketching streams through
 * the net" (VLDB 2005), and K. Weinberger et al., "Feature hashing for large scale multitask learning" (ICML 2009).
 *
 * Every value is added to one of {@link SKETCH_BUCKETS} sums with a random sign. Bucket and sign come from a fixed hash of the
 * tensor's place in the manifest and the value's place in the tensor, so all updates of a campaign are projected alike,
 * whatever their number format, and the same update always gives the same sketch. Runs of 32 values lie in neighbouring
 * buckets and take their signs from one hashed word: this only makes collisions rarer, and costs one hash for 32 values.
 *
 * With m buckets the cosine of two sketches is that of the updates with a standard error of about (1 − cosine²) / √m, at most
 * 1 / √m. The hash is public: the sketch finds accidents and clumsy attacks; against one who shapes an update to it there are
 * the robust recipes, which compare the values themselves.
 */

/** A power of two. */
export const SKETCH_BUCKETS = 1024;

/** Largest standard error of a cosine between two sketches. */
export const COSINE_STANDARD_ERROR = 1 / Math.sqrt(SKETCH_BUCKETS);

/** Values that share a hashed word. */
const RUN = 32;

// Of its own name, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { imul } = Math;

/** The sketch and the norm of an update in the making: its values in any pieces, each once. */
export class RunningSketch {
  /** A run may reach over the last bucket by all but one of its values; {@link finish} folds them back to the first ones. */
  private readonly sums = new Float64Array(SKETCH_BUCKETS + RUN);
  private squares = 0;

  /**
   * Adds `count` values of a tensor, of which the first is the `from`th, a multiple of 32. The array must reach to the next
   * multiple of 32 and hold zeros there. Returns false, and spoils the sketch, when a value is not finite.
   */
  add(values: Float32Array, count: number, tensorIndex: number, from: number): boolean {
    const { sums } = this;
    const tensorSeed = imul(tensorIndex + 1, 0x9e3779b1);
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < count; i += RUN) {
      let signs = mixed((from + i) / RUN + tensorSeed);
      const bucket = mixed(signs ^ 0x5bd1e995) & (SKETCH_BUCKETS - 1);
      for (let k = 0; k < RUN; k += 4) {
        const [place, at] = [i + k, bucket + k];
        const v = values[place] as number;
        const w = values[place + 1] as number;
        const x = values[place + 2] as number;
        const y = values[place + 3] as number;
        a += v * v;
        b += w * w;
        c += x * x;
        d += y * y;
        // Each of the four lowest bits is one sign: 1 or −1.
        sums[at] = (sums[at] as number) + v * (1 - ((signs & 1) << 1));
        sums[at + 1] = (sums[at + 1] as number) + w * (1 - (signs & 2));
        sums[at + 2] = (sums[at + 2] as number) + x * (1 - ((signs & 4) >> 1));
        sums[at + 3] = (sums[at + 3] as number) + y * (1 - ((signs & 8) >> 2));
        signs >>>= 4;
      }
    }
    // Squares of 32-bit floats cannot overflow 64 bits, so their sum is finite exactly when all values are.
    const squares = a + b + c + d;
    this.squares += squares;
    return Number.isFinite(squares);
  }

  /** The Euclidean norm of all values, summed in 64 bits. */
  get norm(): number {
    return Math.sqrt(this.squares);
  }

  /** Base64 of little-endian 32-bit floats. */
  finish(): string {
    const buckets = Float32Array.from(this.sums.subarray(0, SKETCH_BUCKETS), (sum, bucket) =>
      bucket < RUN ? sum + (this.sums[SKETCH_BUCKETS + bucket] as number) : sum,
    );
    return Buffer.from(buckets.buffer).toString('base64');
  }
}

/** The bucket sums of {@link RunningSketch.finish}. */
export function decodeSketch(sketch: string): Float32Array {
  const bytes = Buffer.from(sketch, 'base64');
  return new Float32Array(Uint8Array.from(bytes).buffer, 0, Math.floor(bytes.byteLength / 4));
}

/** Of two vectors; undefined when one of them is zero or they are of different kinds. */
export function cosineBetween(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  if (a.length !== b.length) return undefined;
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? undefined : ab / Math.sqrt(aa * bb);
}

/** The finaliser of MurmurHash3 (Austin Appleby, public domain): every bit of the input moves about half of the output's. */
function mixed(word: number): number {
  let hash = word | 0;
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
