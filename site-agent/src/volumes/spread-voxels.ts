/** A box of voxels in one array and where it goes in another; the three axes are those of the source. */
export interface SpreadPlan {
  readonly counts: readonly [number, number, number];
  readonly readSteps: readonly [number, number, number];
  readonly writeBase: number;
  readonly writeSteps: readonly [number, number, number];
  /** The axis whose neighbours are neighbours in the target as well: it is walked innermost. */
  readonly inner: 0 | 1 | 2;
}

/** Neighbouring rows moved together when planes are gathered, so that each page of the target is touched once for all of them. */
const TILE_ROWS = 16;

/** Moves a box from one array to another whose axes lie in another order. */
export function spreadVoxels(source: Float32Array, target: Float32Array, plan: SpreadPlan): void {
  const { counts, readSteps, writeBase, writeSteps, inner } = plan;
  const outer = inner === 2 ? 1 : 2;
  const middle = inner === 0 ? 1 : 0;
  const tile = inner === 2 ? TILE_ROWS : 1;
  for (let start = 0; start < counts[outer]; start += tile) {
    const end = Math.min(counts[outer], start + tile);
    for (let m = 0; m < counts[middle]; m++) {
      for (let o = start; o < end; o++) {
        const read = m * readSteps[middle] + o * readSteps[outer];
        const write = writeBase + m * writeSteps[middle] + o * writeSteps[outer];
        moveLine(source, read, readSteps[inner], target, write, writeSteps[inner], counts[inner]);
      }
    }
  }
}

function moveLine(
  source: Float32Array,
  from: number,
  readStep: number,
  target: Float32Array,
  to: number,
  writeStep: number,
  count: number,
): void {
  let read = from;
  let write = to;
  for (let n = 0; n < count; n++) {
    target[write] = source[read] as number;
    read += readStep;
    write += writeStep;
  }
}
