/**
 * Mirroring of input and target alike, after the public Models Genesis code ("v2"; Zhou et al., MedIA 2021): up to three
 * flips, each along the channel or one of the given axes. With one channel the channel flip does nothing, so with axes x
 * and y at 0.4 each of them ends up mirrored in 15.3 % of the patches.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Patch, refuse, requireProbability, type Transform } from './transform.js';

export type Axis = 'x' | 'y' | 'z';

export interface FlipParameters {
  /** Chance of each further flip. */
  readonly probability: number;
  readonly axes: readonly Axis[];
  /** Whether the channel is among the choices, as published (the default); the nnU-Net variant leaves it out. */
  readonly channel?: boolean | undefined;
}

/** Net effect per axis. */
export interface FlipDrawing {
  readonly x: boolean;
  readonly y: boolean;
  readonly z: boolean;
}

const MOST_FLIPS = 3;

export const flip: Transform<FlipParameters, FlipDrawing> = {
  name: 'flip',

  draw({ probability, axes, channel = true }: FlipParameters, _size: PatchSize, random: Random): FlipDrawing {
    requireProbability('flipProbability', probability);
    if (!axes.every((axis) => ['x', 'y', 'z'].includes(axis))) refuse('flipAxes', axes.join(', '), 'x, y or z');
    const choices: readonly (Axis | 'channel')[] = channel || axes.length === 0 ? ['channel', ...axes] : axes;
    const drawing = { channel: false, x: false, y: false, z: false };
    for (let flips = 0; flips < MOST_FLIPS && random.chance(probability); flips++) {
      const axis = choices[random.integer(0, choices.length - 1)] ?? 'channel';
      drawing[axis] = !drawing[axis];
    }
    return { x: drawing.x, y: drawing.y, z: drawing.z };
  },

  apply(drawing: FlipDrawing, patch: Patch): Patch {
    if (!drawing.x && !drawing.y && !drawing.z) return patch;
    const [nx, ny, nz] = patch.sizeVoxels;
    const source = patch.voxels;
    const voxels = new Float32Array(source.length);
    const [first, step] = drawing.z ? [nz - 1, -1] : [0, 1];
    let to = 0;
    for (let x = 0; x < nx; x++) {
      const fromX = drawing.x ? nx - 1 - x : x;
      for (let y = 0; y < ny; y++) {
        let from = (fromX * ny + (drawing.y ? ny - 1 - y : y)) * nz + first;
        for (let z = 0; z < nz; z++, from += step) voxels[to++] = source[from] as number;
      }
    }
    return { sizeVoxels: patch.sizeVoxels, voxels };
  },
};
