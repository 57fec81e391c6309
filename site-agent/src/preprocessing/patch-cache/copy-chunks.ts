import type { Triple } from '../../volumes/volume.js';

/** A box and the run of chunks along z that is in memory. */
export interface BoxInRun {
  readonly start: Triple;
  readonly size: Triple;
  readonly chunkX: number;
  readonly chunkY: number;
  readonly firstZ: number;
  readonly lastZ: number;
}

/** Copies what a box and a run of chunks share into the box, row-major. */
export type ChunkCopier = (box: BoxInRun, target: Float32Array) => void;

/** The side of chunks along z, so that whole rows of a chunk are copied without a loop. */
const DEPTH = 8;

/** For chunks of 32-bit floats at the beginning of `bytes`. */
export function copySingles(bytes: Uint8Array, chunkSize: Triple): ChunkCopier {
  const source = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return (box, target) => {
    const { x, y, strideX } = sharedPlane(box, chunkSize);
    const [, sy, sz] = box.size;
    for (let z = box.firstZ; z <= box.lastZ; z++) {
      const { first, end, chunkAt } = sharedDepth(box, z, chunkSize);
      for (let i = x.first; i < x.end; i++) {
        let from = chunkAt + (i - x.origin) * strideX + (y.first - y.origin) * DEPTH + first - z * DEPTH;
        let to = ((i - box.start[0]) * sy + y.first - box.start[1]) * sz + first - box.start[2];
        if (end - first === DEPTH) {
          for (let j = y.first; j < y.end; j++, from += DEPTH, to += sz) {
            target[to] = source[from] as number;
            target[to + 1] = source[from + 1] as number;
            target[to + 2] = source[from + 2] as number;
            target[to + 3] = source[from + 3] as number;
            target[to + 4] = source[from + 4] as number;
            target[to + 5] = source[from + 5] as number;
            target[to + 6] = source[from + 6] as number;
            target[to + 7] = source[from + 7] as number;
          }
          continue;
        }
        const [four, two, one] = [(end - first) & 4, (end - first) & 2, (end - first) & 1];
        for (let j = y.first; j < y.end; j++, from += DEPTH, to += sz) {
          let [f, t] = [from, to];
          if (four !== 0) {
            target[t] = source[f] as number;
            target[t + 1] = source[f + 1] as number;
            target[t + 2] = source[f + 2] as number;
            target[t + 3] = source[f + 3] as number;
            f += 4;
            t += 4;
          }
          if (two !== 0) {
            target[t] = source[f] as number;
            target[t + 1] = source[f + 1] as number;
            f += 2;
            t += 2;
          }
          if (one !== 0) target[t] = source[f] as number;
        }
      }
    }
  };
}

/** For chunks of 16-bit floats at the beginning of `bytes`; `table` holds the value of every bit pattern. */
export function copyHalves(bytes: Uint8Array, chunkSize: Triple, table: Float32Array): ChunkCopier {
  const source = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return (box, target) => {
    const { x, y, strideX } = sharedPlane(box, chunkSize);
    const [, sy, sz] = box.size;
    for (let z = box.firstZ; z <= box.lastZ; z++) {
      const { first, end, chunkAt } = sharedDepth(box, z, chunkSize);
      const length = end - first;
      for (let i = x.first; i < x.end; i++) {
        let from = chunkAt + (i - x.origin) * strideX + (y.first - y.origin) * DEPTH + first - z * DEPTH;
        let to = ((i - box.start[0]) * sy + y.first - box.start[1]) * sz + first - box.start[2];
        for (let j = y.first; j < y.end; j++, from += DEPTH, to += sz) {
          for (let k = 0; k < length; k++) target[to + k] = table[source[from + k] as number] as number;
        }
      }
    }
  };
}

interface SharedSide {
  /** Voxel of the volume where the chunk begins. */
  readonly origin: number;
  readonly first: number;
  readonly end: number;
}

function sharedPlane({ start, size, chunkX, chunkY }: BoxInRun, [sideX, sideY]: Triple) {
  const along = (chunk: number, side: number, from: number, length: number): SharedSide => ({
    origin: chunk * side,
    first: Math.max(from, chunk * side),
    end: Math.min(from + length, (chunk + 1) * side),
  });
  const x = along(chunkX, sideX, start[0], size[0]);
  const y = along(chunkY, sideY, start[1], size[1]);
  return { x, y, strideX: sideY * DEPTH };
}

function sharedDepth({ start, size, firstZ }: BoxInRun, z: number, [sideX, sideY]: Triple) {
  return {
    first: Math.max(start[2], z * DEPTH),
    end: Math.min(start[2] + size[2], (z + 1) * DEPTH),
    chunkAt: (z - firstZ) * sideX * sideY * DEPTH,
  };
}
