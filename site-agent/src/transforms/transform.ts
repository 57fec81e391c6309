import type { Random } from '@consilium/shared/kernel';
import { FederationError } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';

/** One-channel voxels, row-major [x][y][z], z fastest, intensities in 0…1. */
export interface Patch {
  readonly sizeVoxels: PatchSize;
  readonly voxels: Float32Array;
}

/**
 * A random distortion in two halves. `draw` fixes everything that is random as a plain value (refusing bad parameters with
 * ARGUMENT_INVALID), `apply` carries it out: the same drawing on the same patch gives the same bytes. `apply` never changes
 * its patch; a drawing that does nothing returns the patch itself.
 */
export interface Transform<Parameters, Drawing> {
  readonly name: string;
  draw(parameters: Parameters, sizeVoxels: PatchSize, random: Random): Drawing;
  apply(drawing: Drawing, patch: Patch): Patch;
}

/** An axis-aligned box inside a patch. */
export interface Box {
  readonly start: PatchSize;
  readonly size: PatchSize;
}

export function requireProbability(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) refuse(name, value, 'a number from 0 to 1');
}

export function requireCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0) refuse(name, value, 'a whole number, 0 or more');
}

export function refuse(name: string, value: unknown, expected: string): never {
  throw new FederationError('ARGUMENT_INVALID', `${name} is ${String(value)}; expected ${expected}`, {
    remedy: `Correct ${name} in the objective's transforms.`,
  });
}

/** Calls `visit(offset, length)` for each z-run of the box, x outermost. */
export function eachRun({ start, size }: Box, [, ny, nz]: PatchSize, visit: (offset: number, length: number) => void): void {
  for (let x = start[0]; x < start[0] + size[0]; x++) {
    for (let y = start[1]; y < start[1] + size[1]; y++) visit((x * ny + y) * nz + start[2], size[2]);
  }
}
