/**
 * One patch of 64×64×32 from a prepared volume whose file is in memory: milliseconds of `readBox` alone. The reference cuts the
 * same patches from a memory-mapped .npy array, which lies row by row and need not be put together.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPrepared } from '../../../site-agent/dist/preprocessing/patch-cache/open-prepared.js';
import { makeVoxels, PATCH, PATCH_VOXELS, positions, referencePatches, SIZE, storeVoxels, writeNpy } from '../made-prepared.mjs';
import { median, round } from '../statistics.mjs';

export const name = 'patch-warm';
export const unit = 'ms';
export const needs = ['numpy'];
export const target = 0.3;

const PATCHES = 600;
/** Patches that do not count: compilers warm up. */
const WARM_UP = 200;

export async function measure({ python }) {
  const folder = mkdtempSync(join(tmpdir(), 'patch-warm-'));
  try {
    const voxels = makeVoxels();
    const [singles, halves] = [await storeVoxels(folder, voxels, 'f32'), await storeVoxels(folder, voxels, 'f16')];
    const starts = positions(PATCHES);
    const ours = cutAll(singles, starts);
    const npy = join(folder, 'voxels.npy');
    if (python !== undefined) writeNpy(npy, voxels);
    const reference = python === undefined ? undefined : await referencePatches(python, npy, starts, false);
    return {
      ours: ours.median,
      reference: reference && median(reference.results.slice(WARM_UP)) * 1000,
      fastestTenth: round(ours.fastestTenth),
      first: round(ours.first),
      f16: round(cutAll(halves, starts).median),
      volume: SIZE,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function cutAll(volume, starts) {
  const target = new Float32Array(PATCH_VOXELS);
  const time = (reader) =>
    starts.map((start) => {
      const begin = performance.now();
      reader.readBox(start, PATCH, target);
      return performance.now() - begin;
    });
  const reader = openPrepared(volume);
  reader.readBox([0, 0, 0], SIZE); // every chunk has been checked once
  const taken = time(reader);
  reader.close();
  // A reader that checks each chunk as it first reads it; the code is warm by now.
  const fresh = starts.slice(WARM_UP, WARM_UP + 20).map((start) => {
    const unchecked = openPrepared(volume);
    const begin = performance.now();
    unchecked.readBox(start, PATCH, target);
    const spent = performance.now() - begin;
    unchecked.close();
    return spent;
  });
  const counted = taken.slice(WARM_UP).toSorted((a, b) => a - b);
  return { median: median(counted), fastestTenth: counted[Math.floor(counted.length / 10)], first: median(fresh) };
}
