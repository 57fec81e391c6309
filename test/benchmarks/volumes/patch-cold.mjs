/**
 * One patch of 64×64×32 from a prepared volume of which nothing is in memory: bytes that the disk gave (/proc/self/io) for each
 * byte of the patch as it is stored, with drawing a position by its share of foreground, on average. The reference cuts the
 * same positions from a memory-mapped .npy array.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../../shared/dist/kernel/index.js';
import { drawPatch } from '../../../site-agent/dist/preprocessing/draw-patch.js';
import { openPrepared } from '../../../site-agent/dist/preprocessing/patch-cache/open-prepared.js';
import {
  bytesFromDisk,
  evict,
  makeVoxels,
  PATCH,
  PATCH_VOXELS,
  positions,
  referencePatches,
  storeVoxels,
  writeNpy,
} from '../made-prepared.mjs';
import { round } from '../statistics.mjs';

export const name = 'patch-cold';
export const unit = 'bytes from disk per byte of the patch';
export const needs = ['numpy'];
export const target = 2;

const PATCHES = 25;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export async function measure({ python }) {
  // Beside this program, not in the temporary folder, which may be memory.
  const folder = mkdtempSync(join(import.meta.dirname, '..', 'patch-cold-'));
  try {
    const voxels = makeVoxels();
    const [singles, halves] = [await storeVoxels(folder, voxels, 'f32'), await storeVoxels(folder, voxels, 'f16')];
    const npy = join(folder, 'voxels.npy');
    if (python !== undefined) writeNpy(npy, voxels);
    const reference = python === undefined ? undefined : await referencePatches(python, npy, positions(PATCHES), true);
    const ours = shares(singles, 4);
    return {
      ours: mean(ours),
      reference: reference && mean(reference.results) / (4 * PATCH_VOXELS),
      most: round(Math.max(...ours)),
      f16: round(mean(shares(halves, 2))),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function shares(volume, elementBytes) {
  return Array.from({ length: PATCHES }, (_, patch) => {
    evict(volume.file);
    const before = bytesFromDisk();
    const reader = openPrepared(volume);
    drawPatch(volume, reader, PATCH, 0.1, new Random(`cold/${patch}`));
    reader.close();
    const bytes = bytesFromDisk() - before;
    if (bytes === 0) throw new Error('nothing came from a disk: this folder is in memory');
    return bytes / (elementBytes * PATCH_VOXELS);
  });
}
