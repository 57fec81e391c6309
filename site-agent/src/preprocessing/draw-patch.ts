import type { Random } from '@consilium/shared/kernel';
import type { Triple } from '../volumes/volume.js';
import type { PreparedReader } from './patch-cache/open-prepared.js';
import type { PreparedVolume } from './patch-cache/prepared-volume.js';

const MOST_TRIES = 50;

/** What drawing needs to know of a prepared volume beside its reader. */
export type DrawnFrom = Pick<PreparedVolume, 'sizeVoxels' | 'airThreshold' | 'airValue'>;

/**
 * A patch at a uniform position on the prepared grid, row-major [x][y][z], in memory of its own. The first position whose share
 * of voxels above the air threshold reaches `minimumForeground` is taken, or the best of 50. Along an axis shorter than the
 * patch the volume lies in the middle of air, which does not count in the share.
 */
export function drawPatch(
  volume: DrawnFrom,
  reader: PreparedReader,
  size: Triple,
  minimumForeground: number,
  random: Random,
): Float32Array {
  const covered = coveredBy(volume, size);
  const draw = (): Triple => drawStart(volume, size, random);
  const box = boxToTake(new ForegroundCounter(volume, reader, covered), draw, minimumForeground);
  return framed(box, covered, size, volume.airValue);
}

/** The box at `start`; axes shorter than the patch are centred in air. */
export function cutPatch(volume: DrawnFrom, reader: PreparedReader, start: Triple, size: Triple): Float32Array {
  const covered = coveredBy(volume, size);
  return framed(reader.readBox(start, covered), covered, size, volume.airValue);
}

/** A position that was turned down; how much of it is not air is known only between bounds until it is read. */
interface TurnedDown {
  readonly start: Triple;
  readonly atLeast: number;
  readonly atMost: number;
}

/**
 * The voxels of the first position that is good enough, or of the first among the best. Bounds from the chunk table decide
 * where they can; voxels are read where they cannot. The answer is the one that counting every voxel gives.
 */
function boxToTake(counter: ForegroundCounter, draw: () => Triple, minimumForeground: number): Float32Array {
  const enough = minimumForeground * counter.voxels;
  const turnedDown: TurnedDown[] = [];
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const start = draw();
    const { atLeast, atMost } = counter.bounds(start);
    if (atLeast >= enough) return counter.read(start);
    if (atMost < enough) {
      turnedDown.push({ start, atLeast, atMost });
      continue;
    }
    const box = counter.read(start);
    const foreground = counter.count(box);
    if (foreground >= enough) return box;
    turnedDown.push({ start, atLeast: foreground, atMost: foreground });
  }
  return counter.read(bestOf(turnedDown, counter));
}

function bestOf(turnedDown: readonly TurnedDown[], counter: ForegroundCounter): Triple {
  const surest = Math.max(...turnedDown.map(({ atLeast }) => atLeast));
  const open = turnedDown.filter(({ atMost }) => atMost >= surest);
  let best: { start: Triple; foreground: number } | undefined;
  for (const { start, atLeast, atMost } of open) {
    if (best !== undefined && atMost <= best.foreground) continue;
    const foreground = atLeast === atMost ? atLeast : counter.count(counter.read(start));
    if (best === undefined || foreground > best.foreground) best = { start, foreground };
  }
  return best?.start ?? [0, 0, 0];
}

class ForegroundCounter {
  readonly voxels: number;

  constructor(
    private readonly volume: DrawnFrom,
    private readonly reader: PreparedReader,
    private readonly size: Triple,
  ) {
    this.voxels = size[0] * size[1] * size[2];
  }

  bounds(start: Triple): { readonly atLeast: number; readonly atMost: number } {
    return this.reader.foregroundBounds(start, this.size);
  }

  read(start: Triple): Float32Array {
    return this.reader.readBox(start, this.size);
  }

  count(box: Float32Array): number {
    const threshold = this.volume.airThreshold;
    let count = 0;
    for (let i = 0; i < box.length; i++) if ((box[i] as number) > threshold) count++;
    return count;
  }
}

/** The voxels of a patch that a volume has, along each axis. */
export function coveredBy({ sizeVoxels }: DrawnFrom, size: Triple): Triple {
  return [Math.min(size[0], sizeVoxels[0]), Math.min(size[1], sizeVoxels[1]), Math.min(size[2], sizeVoxels[2])];
}

/** Uniform over all positions within the volume. */
export function drawStart({ sizeVoxels }: DrawnFrom, size: Triple, random: Random): Triple {
  const along = (axis: 0 | 1 | 2): number => random.integer(0, Math.max(0, sizeVoxels[axis] - size[axis]));
  return [along(0), along(1), along(2)];
}

/** The box in the middle of air, or itself when it is as large as the patch. */
export function framed(box: Float32Array, covered: Triple, size: Triple, airValue: number): Float32Array {
  if (size.every((side, axis) => side === covered[axis])) return box;
  const patch = new Float32Array(size[0] * size[1] * size[2]).fill(airValue);
  const [mx = 0, my = 0, mz = 0] = size.map((side, axis) => Math.floor((side - (covered[axis] ?? side)) / 2));
  for (let x = 0; x < covered[0]; x++) {
    for (let y = 0; y < covered[1]; y++) {
      const from = (x * covered[1] + y) * covered[2];
      patch.set(box.subarray(from, from + covered[2]), ((mx + x) * size[1] + my + y) * size[2] + mz);
    }
  }
  return patch;
}
