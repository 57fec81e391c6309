import { createHash } from 'node:crypto';

// Of its own name, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { imul } = Math;

/**
 * A seeded generator: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 2021),
 * seeded through SHA-256. The same seed gives the same numbers on every machine and Node version: only 32-bit integer
 * arithmetic and exactly rounded divisions are used.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** @param seed any text; join its parts with '/' so that independent streams cannot collide by accident. */
  constructor(readonly seed: string) {
    const words = createHash('sha256').update(seed).digest();
    this.a = words.readUInt32LE(0);
    this.b = words.readUInt32LE(4);
    this.c = words.readUInt32LE(8);
    this.d = words.readUInt32LE(12) | 1; // never the all-zero state
  }

  /** An independent stream named by a label; does not advance this one. */
  fork(label: string | number): Random {
    return new Random(`${this.seed}/${label}`);
  }

  /** Uniform 32-bit unsigned integer. */
  uint32(): number {
    const scaled = imul(this.b, 5);
    const result = imul((scaled << 7) | (scaled >>> 25), 9);
    const shifted = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= shifted;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result >>> 0;
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform in [0, 1) with 24 bits, exact in a 32-bit float: for filling voxel arrays. */
  uniform24(): number {
    return (this.uint32() >>> 8) / 16777216;
  }

  /** The next numbers of {@link uint32}, many times faster than one by one; all of the array, or part of it. */
  fillUint32(values: Uint32Array, from = 0, to = values.length): Uint32Array {
    let { a, b, c, d } = this; // locals stay in registers
    for (let i = from; i < to; i++) {
      const scaled = imul(b, 5);
      values[i] = imul((scaled << 7) | (scaled >>> 25), 9);
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    return values;
  }

  /** The next numbers of {@link uniform24}, many times faster than one by one; all of the array, or part of it. */
  fillUniform24(values: Float32Array, from = 0, to = values.length): Float32Array {
    let { a, b, c, d } = this;
    for (let i = from; i < to; i++) {
      const scaled = imul(b, 5);
      values[i] = (imul((scaled << 7) | (scaled >>> 25), 9) >>> 8) / 16777216;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    return values;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Uniform integer in [low, high], both inclusive; low ≤ high, range below 2^32. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** Permutes an array in place, uniformly (Fisher–Yates), and returns it. */
  shuffle<T extends { length: number; [index: number]: unknown }>(values: T): T {
    const items = values as { length: number; [index: number]: unknown };
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      const kept = items[i];
      items[i] = items[j];
      items[j] = kept;
    }
    return values;
  }
}
