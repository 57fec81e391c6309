import { crc32 } from 'node:zlib';
import type { FederationError } from '@consilium/shared/kernel';
import { CHUNK_BYTES, type ChunkLayout, ENTRIES_PER_PAGE, ENTRY_BYTES, HEADER_BYTES } from './chunk-layout.js';

/** Reads its pages when they are first needed: a patch needs a few of them, an archive of volumes not all at once. */
export class ChunkTable {
  private readonly pages: (Uint32Array | undefined)[];

  constructor(
    { tablePages }: ChunkLayout,
    private readonly read: (target: Uint8Array, position: number) => void,
    private readonly damaged: () => FederationError,
  ) {
    this.pages = new Array<Uint32Array | undefined>(tablePages).fill(undefined);
  }

  checksum(chunk: number): number {
    return this.pageOf(chunk)[2 * (chunk % ENTRIES_PER_PAGE)] as number;
  }

  /** Voxels of the chunk above the air threshold. */
  foreground(chunk: number): number {
    return this.pageOf(chunk)[2 * (chunk % ENTRIES_PER_PAGE) + 1] as number;
  }

  /** Reads the pages of these chunks, the last first, unless they are in memory. */
  load(firstChunk: number, lastChunk: number): void {
    const first = Math.floor(firstChunk / ENTRIES_PER_PAGE);
    for (let page = Math.floor(lastChunk / ENTRIES_PER_PAGE); page >= first; page--) {
      this.pages[page] ??= this.readPage(page);
    }
  }

  private pageOf(chunk: number): Uint32Array {
    const page = Math.floor(chunk / ENTRIES_PER_PAGE);
    return (this.pages[page] ??= this.readPage(page));
  }

  private readPage(page: number): Uint32Array {
    const bytes = new Uint8Array(CHUNK_BYTES);
    this.read(bytes, HEADER_BYTES + page * CHUNK_BYTES);
    const words = new Uint32Array(bytes.buffer);
    const entries = bytes.subarray(0, ENTRIES_PER_PAGE * ENTRY_BYTES);
    if (crc32(entries) !== words[entries.length / 4]) throw this.damaged();
    return words;
  }
}
