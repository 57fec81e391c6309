/**
 * Where the frames begin, from the extended offset table when there is one, else from the basic; undefined when neither
 * names one place for each frame, in order (such tables are ignored: many writers leave them empty or wrong).
 */
export function readOffsets(basic: Buffer, extended: Buffer | undefined, frames: number): number[] | undefined {
  const fromExtended = extended === undefined ? [] : each(extended, 8, frames, (at) => Number(extended.readBigUInt64LE(at)));
  if (isUsable(fromExtended, frames)) return fromExtended;
  const fromBasic = each(basic, 4, frames, (at) => basic.readUInt32LE(at));
  return isUsable(fromBasic, frames) ? fromBasic : undefined;
}

function isUsable(offsets: readonly number[], frames: number): boolean {
  return (
    offsets.length === frames &&
    offsets[0] === 0 &&
    offsets.every((offset, index) => index === 0 || offset > (offsets[index - 1] ?? 0))
  );
}

function each(table: Buffer, bytes: number, most: number, read: (at: number) => number): number[] {
  const count = Math.floor(table.length / bytes);
  return count > most ? [] : Array.from({ length: count }, (_, index) => read(index * bytes));
}
