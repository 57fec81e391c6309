/** Prepared volumes for the rows that cut patches: made voxels in the cache's own form, and as a plain .npy beside it. */
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PatchCache } from '../../site-agent/dist/preprocessing/patch-cache/patch-cache.js';

export const SIZE = [384, 384, 160];
export const PATCH = [64, 64, 32];
export const PATCH_VOXELS = PATCH[0] * PATCH[1] * PATCH[2];

/** Tissue in a cylinder of air, 0…1; the same in every row. */
export function makeVoxels() {
  const [nx, ny, nz] = SIZE;
  const voxels = new Float32Array(nx * ny * nz);
  let state = 1;
  for (let x = 0, at = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      const inside = Math.hypot(x - nx / 2, y - ny / 2) < 0.45 * nx;
      for (let z = 0; z < nz; z++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        voxels[at++] = inside ? 0.4 + state / 2 ** 34 : state / 2 ** 35;
      }
    }
  }
  return voxels;
}

export async function storeVoxels(folder, voxels, elementType) {
  const cache = await PatchCache.open(folder);
  const name = `sha256:${(elementType === 'f16' ? 'a' : 'b').repeat(64)}`;
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const facts = { modality: 'CT', sizeVoxels: SIZE, spacingMm: [1, 1, 1], affine, elementType, airThreshold: 0.25, airValue: 0 };
  return cache.store({ digest: name, fingerprint: name, ...facts }, voxels);
}

/** The same voxels as a NumPy array file. */
export function writeNpy(path, voxels) {
  const facts = `{'descr': '<f4', 'fortran_order': False, 'shape': (${SIZE.join(', ')}), }`;
  const header = Buffer.alloc(4096, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(header.length - 10, 8);
  header.write(facts, 10);
  header.write('\n', header.length - 1);
  const descriptor = openSync(path, 'w');
  writeSync(descriptor, header);
  writeSync(descriptor, new Uint8Array(voxels.buffer));
  closeSync(descriptor);
}

/** Positions of patches, the same for both sides. */
export function positions(count) {
  let state = 7;
  const draw = (most) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % (most + 1);
  return Array.from({ length: count }, () => SIZE.map((side, axis) => draw(side - PATCH[axis])));
}

/** Asks the system to forget what it holds of a file in memory, once everything is on disk. */
export function evict(path) {
  execFileSync('sync', [path]);
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** Bytes that this process has had from disks, not from memory. */
export function bytesFromDisk() {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
}

/** What NumPy does with the same positions of a memory-mapped array: milliseconds a patch, or bytes from disk when `cold`. */
export async function referencePatches(python, path, starts, cold) {
  const program = join(import.meta.dirname, 'reference_patches.py');
  const request = JSON.stringify({ path, starts, patch: PATCH, cold });
  const { stdout } = await promisify(execFile)(python, [program, request], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
}
