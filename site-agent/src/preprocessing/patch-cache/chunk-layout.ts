import type { Triple } from '../../volumes/volume.js';

/** How voxels are stored: 32-bit or 16-bit floats, little-endian. */
export type ElementType = 'f32' | 'f16';

/** One page of memory and of most disks: what a chunk takes, and the least that a disk reads. */
export const CHUNK_BYTES = 4096;
export const HEADER_BYTES = 4096;
/** Of a page of the chunk table; the rest of the page is its checksum. */
export const ENTRY_BYTES = 8;
export const ENTRIES_PER_PAGE = CHUNK_BYTES / ENTRY_BYTES - 1;

const CHUNK_SIZES: Readonly<Record<ElementType, Triple>> = { f32: [8, 16, 8], f16: [16, 16, 8] };

/** How a volume lies in its file: a header page, the pages of the chunk table, then the chunks with those along z side by side. */
export interface ChunkLayout {
  readonly sizeVoxels: Triple;
  /** Voxels of a chunk, row-major [x][y][z]; beyond the volume's border they are 0. */
  readonly chunkSize: Triple;
  /** Chunks along each axis. */
  readonly chunks: Triple;
  readonly tablePages: number;
  readonly dataOffset: number;
  readonly fileBytes: number;
}

export function chunkLayout(sizeVoxels: Triple, elementType: ElementType): ChunkLayout {
  const chunkSize = CHUNK_SIZES[elementType];
  const along = (axis: 0 | 1 | 2): number => Math.ceil(sizeVoxels[axis] / chunkSize[axis]);
  const chunks = [along(0), along(1), along(2)] as const;
  const count = chunks[0] * chunks[1] * chunks[2];
  const tablePages = Math.ceil(count / ENTRIES_PER_PAGE);
  const dataOffset = HEADER_BYTES + tablePages * CHUNK_BYTES;
  return { sizeVoxels, chunkSize, chunks, tablePages, dataOffset, fileBytes: dataOffset + count * CHUNK_BYTES };
}

/** Number of a chunk in the file and in the table. */
export function chunkIndex({ chunks }: ChunkLayout, x: number, y: number, z: number): number {
  return (x * chunks[1] + y) * chunks[2] + z;
}

/** Calls with the chunks that a box touches: their numbers along x and y, and the first and last along z. */
export function eachRun(
  { chunkSize }: ChunkLayout,
  start: Triple,
  size: Triple,
  visit: (x: number, y: number, firstZ: number, lastZ: number) => void,
): void {
  const first = (axis: 0 | 1 | 2): number => Math.floor(start[axis] / chunkSize[axis]);
  const last = (axis: 0 | 1 | 2): number => Math.floor((start[axis] + size[axis] - 1) / chunkSize[axis]);
  for (let x = first(0); x <= last(0); x++) for (let y = first(1); y <= last(1); y++) visit(x, y, first(2), last(2));
}
