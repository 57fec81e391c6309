import { elementCount, type Manifest } from '@consilium/shared/weights';

/** Elements of a whole piece: enough that handing it over costs little beside folding it. */
export const PIECE_ELEMENTS = 1 << 16;

/** Ranges end at multiples of this within their run, whatever their size: sums over a block have one order of additions. */
export const BLOCK_ELEMENTS = 1024;

/** A part of one tensor. */
export interface Run {
  /** Its place in the manifest. */
  readonly tensor: number;
  readonly from: number;
  readonly to: number;
}

/** Runs that lie behind one another in the output: what a thread folds at a time. */
export interface Piece {
  readonly runs: readonly Run[];
  readonly elements: number;
}

/**
 * Cuts a model into pieces, in the manifest's order, and tensors at multiples of their unit, which is at most a piece. The cut
 * depends on the manifest and the units alone.
 */
export function cutIntoPieces(
  { tensors }: Manifest,
  unitOf: (shape: readonly number[]) => number = () => BLOCK_ELEMENTS,
): Piece[] {
  const pieces: Piece[] = [];
  let runs: Run[] = [];
  let room = PIECE_ELEMENTS;
  const close = (): void => {
    if (runs.length > 0) pieces.push({ runs, elements: PIECE_ELEMENTS - room });
    runs = [];
    room = PIECE_ELEMENTS;
  };
  for (const [tensor, { shape }] of tensors.entries()) {
    const count = elementCount(shape);
    const unit = unitOf(shape);
    for (let from = 0; from < count;) {
      if (room < Math.min(unit, count - from)) close();
      const fits = from + room >= count;
      const to = fits ? count : from + Math.floor(room / unit) * unit;
      runs.push({ tensor, from, to });
      room -= to - from;
      from = to;
    }
  }
  close();
  return pieces;
}
