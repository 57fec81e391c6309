/**
 * Sorts many columns of numbers at once by a network of comparisons that depends on their length alone: Batcher's merge exchange,
 * Knuth, "The Art of Computer Programming", volume 3, section 5.2.2, algorithm M. Its steps are the same for every column, so a
 * kernel does each for a whole range.
 */

/** Calls `order(i, j)`, i < j, for each pair of places that is to be put in order, one after another. */
export function mergeExchange(length: number, order: (lower: number, upper: number) => void): void {
  const top = 2 ** (Math.ceil(Math.log2(length)) - 1);
  for (let p = Math.floor(top); p > 0; p >>= 1) {
    let [q, r, d] = [top, 0, p];
    for (;;) {
      for (let i = 0; i < length - d; i++) if ((i & p) === r) order(i, i + d);
      if (q === p) break;
      [d, q, r] = [q - p, q / 2, p];
    }
  }
}
