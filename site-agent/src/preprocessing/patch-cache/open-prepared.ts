import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { FederationError } from '@consilium/shared/kernel';
import type { Triple } from '../../volumes/volume.js';
import { halfTable } from '../half-floats.js';
import { CHUNK_BYTES, type ChunkLayout, chunkIndex, chunkLayout, eachRun } from './chunk-layout.js';
import { ChunkTable } from './chunk-table.js';
import { type ChunkCopier, copyHalves, copySingles } from './copy-chunks.js';
import type { PreparedVolume } from './prepared-volume.js';

/** At least and at most so many voxels of a box are above the air threshold. */
export interface ForegroundBounds {
  readonly atLeast: number;
  readonly atMost: number;
}

/** Reads boxes of one prepared volume, synchronously: for threads. Takes a descriptor and a few bytes a chunk, no voxels. */
export interface PreparedReader {
  /** The voxels of a box that lies within the volume, row-major; into `target` (the first of its elements) when given. */
  readBox(start: Triple, size: Triple, target?: Float32Array): Float32Array;
  /** From the chunk table alone, without reading a voxel. */
  foregroundBounds(start: Triple, size: Triple): ForegroundBounds;
  close(): void;
}

/**
 * Opens the file of a prepared volume. Each chunk is checked against its checksum when it is first read; a damaged file is
 * removed, so that it is made again, and STORAGE_FAILED (worth trying again) is thrown. So is it when the file is gone.
 */
export function openPrepared(volume: PreparedVolume): PreparedReader {
  return new ChunkedReader(volume);
}

class ChunkedReader implements PreparedReader {
  private readonly layout: ChunkLayout;
  private readonly descriptor: number;
  private readonly table: ChunkTable;
  private readonly checked: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly copy: ChunkCopier;

  constructor(private readonly volume: PreparedVolume) {
    this.layout = chunkLayout(volume.sizeVoxels, volume.elementType);
    const { chunks, chunkSize } = this.layout;
    this.checked = new Uint8Array(chunks[0] * chunks[1] * chunks[2]);
    this.bytes = new Uint8Array(chunks[2] * CHUNK_BYTES);
    this.copy =
      volume.elementType === 'f16' ? copyHalves(this.bytes, chunkSize, halfTable()) : copySingles(this.bytes, chunkSize);
    this.descriptor = this.open();
    this.table = new ChunkTable(
      this.layout,
      (page, position) => this.read(page, position),
      () => this.damaged(),
    );
  }

  readBox(start: Triple, size: Triple, target = new Float32Array(size[0] * size[1] * size[2])): Float32Array {
    this.loadTable(start, size);
    eachRun(this.layout, start, size, (x, y, firstZ, lastZ) => {
      const first = chunkIndex(this.layout, x, y, firstZ);
      const count = lastZ - firstZ + 1;
      this.read(this.bytes.subarray(0, count * CHUNK_BYTES), this.layout.dataOffset + first * CHUNK_BYTES);
      for (let chunk = 0; chunk < count; chunk++) if (this.checked[first + chunk] === 0) this.check(first + chunk, chunk);
      this.copy({ start, size, chunkX: x, chunkY: y, firstZ, lastZ }, target);
    });
    return target;
  }

  foregroundBounds(start: Triple, size: Triple): ForegroundBounds {
    let atLeast = 0;
    let atMost = 0;
    this.loadTable(start, size);
    eachRun(this.layout, start, size, (x, y, firstZ, lastZ) => {
      const [plane, wholePlane] = [
        this.shared(x, start, size, 0) * this.shared(y, start, size, 1),
        this.inside(x, 0) * this.inside(y, 1),
      ];
      for (let z = firstZ; z <= lastZ; z++) {
        const foreground = this.table.foreground(chunkIndex(this.layout, x, y, z));
        const covered = plane * this.shared(z, start, size, 2);
        atMost += Math.min(foreground, covered);
        atLeast += Math.max(0, foreground - (wholePlane * this.inside(z, 2) - covered));
      }
    });
    return { atLeast, atMost };
  }

  close(): void {
    closeSync(this.descriptor);
  }

  // From the last page to the first: pages read in rising order look like a whole file to come, and the system would read on.
  private loadTable(start: Triple, size: Triple): void {
    const last = (axis: 0 | 1 | 2): number => Math.floor((start[axis] + size[axis] - 1) / this.layout.chunkSize[axis]);
    const first = (axis: 0 | 1 | 2): number => Math.floor(start[axis] / this.layout.chunkSize[axis]);
    const [x0, y0, y1, z0, z1] = [first(0), first(1), last(1), first(2), last(2)];
    for (let x = last(0); x >= x0; x--) this.table.load(chunkIndex(this.layout, x, y0, z0), chunkIndex(this.layout, x, y1, z1));
  }

  /** Voxels along an axis that a chunk shares with a box. */
  private shared(chunk: number, start: Triple, size: Triple, axis: 0 | 1 | 2): number {
    const side = this.layout.chunkSize[axis];
    return Math.min(start[axis] + size[axis], (chunk + 1) * side) - Math.max(start[axis], chunk * side);
  }

  /** Voxels along an axis that a chunk shares with the volume. */
  private inside(chunk: number, axis: 0 | 1 | 2): number {
    const side = this.layout.chunkSize[axis];
    return Math.min(side, this.layout.sizeVoxels[axis] - chunk * side);
  }

  private check(index: number, chunk: number): void {
    const bytes = this.bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    if (crc32(bytes, this.table.foreground(index)) !== this.table.checksum(index)) throw this.damaged();
    this.checked[index] = 1;
  }

  private open(): number {
    try {
      const descriptor = openSync(this.volume.file, 'r');
      if (fstatSync(descriptor).size === this.layout.fileBytes) return descriptor;
      closeSync(descriptor);
    } catch (thrown) {
      throw new FederationError('STORAGE_FAILED', 'a prepared volume is gone or cannot be read', {
        cause: thrown,
        remedy: 'It is made again when the work is repeated.',
      });
    }
    throw this.damaged();
  }

  private read(target: Uint8Array, position: number): void {
    for (let done = 0; done < target.length;) {
      const bytesRead = readSync(this.descriptor, target, done, target.length - done, position + done);
      if (bytesRead === 0) throw this.damaged();
      done += bytesRead;
    }
  }

  private damaged(): FederationError {
    rmSync(this.volume.file, { force: true });
    return new FederationError('STORAGE_FAILED', 'a prepared volume is damaged on disk and has been removed', {
      remedy: 'It is made again when the work is repeated. If this happens often, have the disk checked.',
    });
  }
}
