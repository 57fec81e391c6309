import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { halfTable, toHalf } from '../half-floats.js';
import { CHUNK_BYTES, type ChunkLayout, chunkIndex, chunkLayout, ENTRIES_PER_PAGE, ENTRY_BYTES } from './chunk-layout.js';
import { encodeHeader, type EntryHeader } from './entry-header.js';

/** Bytes handed to the system at once. */
const PIECE_BYTES = 1 << 22;

/**
 * Writes prepared voxels (row-major [x][y][z]) to a new file in chunks and waits until they are on disk. The header comes last,
 * so that a file cut short anywhere is never taken for a whole one. Rejects with the system's error.
 */
export async function writeEntry(path: string, header: EntryHeader, voxels: Float32Array): Promise<void> {
  const layout = chunkLayout(header.sizeVoxels, header.elementType);
  const handle = await open(path, 'w', 0o600);
  try {
    const table = await writeChunks(handle, layout, header, voxels);
    await writeWhole(handle, sealTable(table, layout), CHUNK_BYTES);
    await handle.sync();
    await writeWhole(handle, encodeHeader(header), 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes every chunk; returns the table: for each the checksum and the number of voxels that are not air. */
async function writeChunks(
  handle: FileHandle,
  layout: ChunkLayout,
  header: EntryHeader,
  voxels: Float32Array,
): Promise<Uint32Array> {
  const { chunks, dataOffset } = layout;
  const table = new Uint32Array(2 * chunks[0] * chunks[1] * chunks[2]);
  const piece = new Uint8Array(Math.max(CHUNK_BYTES, Math.floor(PIECE_BYTES / CHUNK_BYTES) * CHUNK_BYTES));
  const encode = chunkEncoder(layout, header, voxels);
  let filled = 0;
  let position = dataOffset;
  for (let x = 0; x < chunks[0]; x++) {
    for (let y = 0; y < chunks[1]; y++) {
      for (let z = 0; z < chunks[2]; z++) {
        const chunk = piece.subarray(filled, filled + CHUNK_BYTES);
        const foreground = encode(x, y, z, chunk);
        const index = chunkIndex(layout, x, y, z);
        table[2 * index] = crc32(chunk, foreground);
        table[2 * index + 1] = foreground;
        filled += CHUNK_BYTES;
        if (filled < piece.length) continue;
        await writeWhole(handle, piece, position);
        position += filled;
        filled = 0;
      }
    }
  }
  await writeWhole(handle, piece.subarray(0, filled), position);
  return table;
}

type ChunkEncoder = (x: number, y: number, z: number, chunk: Uint8Array) => number;

/** Fills a chunk and counts what is above the air threshold once it is stored. */
function chunkEncoder({ sizeVoxels, chunkSize }: ChunkLayout, header: EntryHeader, voxels: Float32Array): ChunkEncoder {
  const [nx, ny, nz] = sizeVoxels;
  const [cx, cy, cz] = chunkSize;
  const half = header.elementType === 'f16';
  const decoded = halfTable();
  return (x, y, z, chunk) => {
    const elements = half
      ? new Uint16Array(chunk.buffer, chunk.byteOffset, CHUNK_BYTES / 2)
      : new Float32Array(chunk.buffer, chunk.byteOffset, CHUNK_BYTES / 4);
    elements.fill(0);
    let foreground = 0;
    const depth = Math.min(cz, nz - z * cz);
    for (let i = 0; i < cx && x * cx + i < nx; i++) {
      for (let j = 0; j < cy && y * cy + j < ny; j++) {
        let from = ((x * cx + i) * ny + y * cy + j) * nz + z * cz;
        let to = (i * cy + j) * cz;
        for (const end = from + depth; from < end; from++, to++) {
          const value = voxels[from] as number;
          const stored = half ? toHalf(value) : value;
          elements[to] = stored;
          if ((half ? (decoded[stored] as number) : value) > header.airThreshold) foreground++;
        }
      }
    }
    return foreground;
  };
}

/** The table in pages that each end in their own checksum. */
function sealTable(table: Uint32Array, { tablePages }: ChunkLayout): Uint8Array {
  const pages = new Uint8Array(tablePages * CHUNK_BYTES);
  const words = new Uint32Array(pages.buffer);
  const wordsPerPage = (ENTRIES_PER_PAGE * ENTRY_BYTES) / 4;
  for (let page = 0; page < tablePages; page++) {
    const at = (page * CHUNK_BYTES) / 4;
    words.set(table.subarray(page * wordsPerPage, (page + 1) * wordsPerPage), at);
    words[at + wordsPerPage] = crc32(pages.subarray(page * CHUNK_BYTES, page * CHUNK_BYTES + ENTRIES_PER_PAGE * ENTRY_BYTES));
  }
  return pages;
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
