import { dirname } from 'node:path';
import { rasLayout, reorientAffine, spacingOf } from '../orientation.js';
import type { DicomSource } from '../volume-source.js';
import type { Volume } from '../volume.js';
import { repairNonFinite } from '../repair-voxels.js';
import { faultOf, unsuitable } from '../volume-fault.js';
import { fillFrame } from './fill-frame.js';
import { readSeriesStacks } from './last-series.js';
import { settlePadding } from './rescale-plane.js';
import type { PlacedPlane, ReadableStack, StackGrid } from './series-stack.js';

/** A whole-body scan of 512 × 512 × 2048; what claims more is refused before any memory is taken. */
const MAXIMUM_VOXELS = 2 ** 29;
const LARGEST_FLOAT32 = 3.4028234663852886e38;

/**
 * Reads one frame of a stack of a DICOM series, reoriented to RAS+, rescaled plane by plane. Takes the memory of one volume
 * and a few planes. Throws VOLUME_UNREADABLE or VOLUME_UNSUITABLE with a one-line reason that names the folder.
 */
export async function readDicomVolume({ files, stack, frame }: DicomSource): Promise<Volume> {
  try {
    const readable = await readStack(files, stack);
    const planes = readable.frames[frame];
    if (planes === undefined) throw noFrame(frame, readable.frames.length);
    return await volumeOf(readable, planes);
  } catch (thrown) {
    throw inFolder(thrown, files);
  }
}

/** All frames of a stack, one after the other; the files' headers are read once. Errors as above. */
export async function* readDicomVolumes({ files, stack }: Omit<DicomSource, 'frame'>): AsyncGenerator<Volume> {
  try {
    const readable = await readStack(files, stack);
    for (const planes of readable.frames) yield await volumeOf(readable, planes);
  } catch (thrown) {
    throw inFolder(thrown, files);
  }
}

async function readStack(files: readonly string[], index: number): Promise<ReadableStack> {
  const stacks = await readSeriesStacks(files);
  const stack = stacks[index];
  if (stack === undefined) throw unsuitable(`the series holds ${stacks.length} volumes now, and number ${index} is none of them`);
  if (stack.status === 'refused') throw unsuitable(stack.reason, stack.remedy);
  return stack;
}

async function volumeOf(stack: ReadableStack, planes: readonly PlacedPlane[]): Promise<Volume> {
  const { grid, header } = stack;
  const [columns, rows, slices] = grid.sizeVoxels;
  if (columns * rows * slices > MAXIMUM_VOXELS) {
    throw unsuitable(`the series claims ${(columns * rows * slices).toExponential(1)} voxels, more than ${MAXIMUM_VOXELS}`);
  }
  const { voxels, range } = await fillFrame(planes, grid);
  settlePadding(voxels, header.modality === 'CT', range);
  return { ...placeOf(grid), voxels, repairedVoxels: areAlwaysFinite(planes) ? 0 : repairNonFinite(voxels) };
}

function placeOf({ sizeVoxels, affine: stored, orientation }: StackGrid): Omit<Volume, 'voxels' | 'repairedVoxels'> {
  const affine = reorientAffine(stored, orientation, sizeVoxels);
  return {
    sizeVoxels: rasLayout(sizeVoxels, orientation).sizeVoxels,
    spacingMm: spacingOf(affine),
    affine,
    source: { sizeVoxels, affine: stored, ...orientation, headerBytes: undefined },
  };
}

/** Whole numbers of at most 32 bits, rescaled within what a float holds. */
function areAlwaysFinite(planes: readonly PlacedPlane[]): boolean {
  return planes.every(({ facts, plane }) => {
    return facts.pixels?.floating === false && Math.abs(plane.slope) * 2 ** 32 + Math.abs(plane.intercept) < LARGEST_FLOAT32;
  });
}

function noFrame(frame: number, frames: number): Error {
  const last = frames === 1 ? 'there is only frame 0' : `the last one is ${frames - 1}`;
  return unsuitable(`there is no frame ${frame}`, `Frames are counted from 0; ${last}.`);
}

/** Names of DICOM files are often identifiers, so that errors name their folder. */
function inFolder(thrown: unknown, files: readonly string[]): Error {
  return faultOf(thrown, dirname(files[0] ?? 'series'));
}
