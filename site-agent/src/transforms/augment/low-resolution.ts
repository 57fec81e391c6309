/**
 * Simulated low resolution, after nnU-Net (Isensee et al., Nature Methods 2021): the patch is sampled on a coarser grid,
 * nearest voxel, and brought back to its own, trilinear. Both grids cover the same extent.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { type Patch, requireProbability, type Transform } from '../transform.js';
import { type Bounds, requireBounds } from './labelled-patch.js';

export interface LowResolutionParameters {
  readonly probability: number;
  /** Voxels of the coarse grid per voxel, on each axis. */
  readonly zoom: Bounds;
}

export interface LowResolutionDrawing {
  readonly zoom: number;
}

export const lowResolution: Transform<LowResolutionParameters, LowResolutionDrawing | undefined> = {
  name: 'low-resolution',

  draw({ probability, zoom }: LowResolutionParameters, _size: PatchSize, random: Random): LowResolutionDrawing | undefined {
    requireProbability('lowResolutionProbability', probability);
    requireBounds('lowResolutionZoom', zoom, 0.05, 1);
    return random.chance(probability) ? { zoom: random.between(...zoom) } : undefined;
  },

  apply(drawing: LowResolutionDrawing | undefined, patch: Patch): Patch {
    if (drawing === undefined) return patch;
    const [nx, ny, nz] = patch.sizeVoxels;
    const [ax, ay, az] = [axisTaps(nx, drawing.zoom), axisTaps(ny, drawing.zoom), axisTaps(nz, drawing.zoom)];
    const voxels = new Float32Array(patch.voxels.length);
    const plane = new Float64Array(ny * nz);
    for (let x = 0; x < nx; x++) {
      mixSlabs(plane, patch.voxels, ax, x, ny * nz);
      for (let y = 0; y < ny; y++) {
        const [low, high, share] = [(ay.low[y] as number) * nz, (ay.high[y] as number) * nz, ay.share[y] as number];
        const row = (x * ny + y) * nz;
        for (let z = 0; z < nz; z++) {
          const [zl, zh] = [az.low[z] as number, az.high[z] as number];
          const near = mix(plane[low + zl] as number, plane[high + zl] as number, share);
          const far = mix(plane[low + zh] as number, plane[high + zh] as number, share);
          voxels[row + z] = mix(near, far, az.share[z] as number);
        }
      }
    }
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};

/** For each voxel of an axis the two voxels that its coarse neighbours were sampled from, and the second one's share. */
interface AxisTaps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float64Array;
}

function axisTaps(length: number, zoom: number): AxisTaps {
  const coarse = Math.max(1, Math.floor(length * zoom + 0.5));
  // The centre of coarse voxel i lies at (i + ½) · length / coarse − ½; a tie goes to the upper voxel.
  const source = (index: number): number => Math.min(length - 1, Math.floor(((index + 0.5) * length) / coarse));
  const taps = { low: new Int32Array(length), high: new Int32Array(length), share: new Float64Array(length) };
  for (let voxel = 0; voxel < length; voxel++) {
    const position = Math.min(coarse - 1, Math.max(0, ((voxel + 0.5) * coarse) / length - 0.5));
    const low = Math.floor(position);
    taps.low[voxel] = source(low);
    taps.high[voxel] = source(Math.min(coarse - 1, low + 1));
    taps.share[voxel] = position - low;
  }
  return taps;
}

function mixSlabs(plane: Float64Array, voxels: Float32Array, taps: AxisTaps, x: number, slab: number): void {
  const [low, high, share] = [(taps.low[x] as number) * slab, (taps.high[x] as number) * slab, taps.share[x] as number];
  for (let i = 0; i < slab; i++) plane[i] = mix(voxels[low + i] as number, voxels[high + i] as number, share);
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
