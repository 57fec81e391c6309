import { endianness } from 'node:os';
import { type Orientation, rasLayout } from '../orientation.js';
import type { MemoryAllowance } from './memory-allowance.js';
import type { NiftiHeader } from './nifti-header.js';
import { scaleInto, type StoredValues } from './stored-values.js';
import { spreadVoxels } from '../spread-voxels.js';

/** Planes decoded at once: sixteen floats fill a cache line where the planes become the fastest axis. */
const PLANES_AT_ONCE = 16;
const LARGEST_BOX_VOXELS = 1 << 22;
/** Planes a power of two apart would share the same few places in the cache. */
const PLANE_PADDING = 16;

type Counts = [number, number, number];

/** Turns the stored bytes of one frame, given in pieces of any size, into floats in RAS order, without a second whole buffer. */
export class FrameDecoder {
  private readonly voxels: Float32Array;
  private readonly stage: Buffer;
  private readonly stored: StoredValues;
  private readonly reals: Float32Array;
  private readonly box: Counts;
  private readonly at: Counts = [0, 0, 0];
  private readonly layout: ReturnType<typeof rasLayout>;
  private readonly inner: 0 | 1 | 2;
  private filled = 0;

  constructor(
    private readonly header: NiftiHeader,
    orientation: Orientation,
    allowance: MemoryAllowance,
  ) {
    const { sizeVoxels, datatype } = header;
    this.layout = rasLayout(sizeVoxels, orientation);
    this.inner = orientation.rasAxis.indexOf(2) as 0 | 1 | 2;
    this.box = boxOf(sizeVoxels);
    const boxVoxels = this.box[0] * this.box[1] * this.box[2];
    const stage = allowance.take(boxVoxels * datatype.bytes);
    this.stage = Buffer.from(stage);
    this.stored = datatype.view(stage);
    this.reals = new Float32Array(allowance.take(4 * (boxVoxels + PLANE_PADDING * this.box[2])));
    this.voxels = new Float32Array(allowance.take(4 * sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2]));
  }

  /** The next bytes of the frame, never more than it has. */
  accept(bytes: Uint8Array): void {
    let taken = 0;
    while (taken < bytes.length) {
      const wanted = this.boxBytes() - this.filled;
      const part = bytes.subarray(taken, taken + wanted);
      this.stage.set(part, this.filled);
      this.filled += part.length;
      taken += part.length;
      if (part.length === wanted) this.decodeBox();
    }
  }

  /** The voxels, once all bytes have come. */
  finish(): Float32Array {
    return this.voxels;
  }

  /** The box at hand, cut at the volume's ends. */
  private counts(): Counts {
    const [nx, ny, nz] = this.header.sizeVoxels;
    const [i, j, k] = this.at;
    return [Math.min(this.box[0], nx - i), Math.min(this.box[1], ny - j), Math.min(this.box[2], nz - k)];
  }

  private boxBytes(): number {
    const [ci, cj, ck] = this.counts();
    return ci * cj * ck * this.header.datatype.bytes;
  }

  private decodeBox(): void {
    const counts = this.counts();
    const [ci, cj, ck] = counts;
    toMachineOrder(this.stage.subarray(0, this.filled), this.header);
    const plane = ci * cj;
    const padded = plane + PLANE_PADDING;
    for (let p = 0; p < ck; p++) {
      scaleInto(this.reals, p * padded, this.stored, p * plane, plane, this.header);
    }
    const { base, steps } = this.layout;
    const writeBase = base + this.at[0] * steps[0] + this.at[1] * steps[1] + this.at[2] * steps[2];
    const plan = { counts, readSteps: [1, ci, padded] as const, writeBase, writeSteps: steps, inner: this.inner };
    spreadVoxels(this.reals, this.voxels, plan);
    this.filled = 0;
    this.advance(counts);
  }

  private advance([ci, cj, ck]: Counts): void {
    const [nx, ny] = this.header.sizeVoxels;
    this.at[0] += ci;
    if (this.at[0] < nx) return;
    this.at[0] = 0;
    this.at[1] += cj;
    if (this.at[1] < ny) return;
    this.at[1] = 0;
    this.at[2] += ck;
  }
}

/** A box that lies in one piece in the file: some planes, else some rows of a plane, else a part of a row. */
function boxOf([nx, ny, nz]: readonly [number, number, number]): Counts {
  const within = (count: number, voxelsEach: number): number =>
    Math.max(1, Math.min(count, Math.floor(LARGEST_BOX_VOXELS / voxelsEach)));
  if (nx * ny <= LARGEST_BOX_VOXELS) return [nx, ny, within(Math.min(nz, PLANES_AT_ONCE), nx * ny)];
  if (nx <= LARGEST_BOX_VOXELS) return [nx, within(ny, nx), 1];
  return [LARGEST_BOX_VOXELS, 1, 1];
}

function toMachineOrder(bytes: Buffer, header: NiftiHeader): void {
  if (header.littleEndian === (endianness() === 'LE')) return;
  if (header.datatype.bytes === 2) bytes.swap16();
  if (header.datatype.bytes === 4) bytes.swap32();
  if (header.datatype.bytes === 8) bytes.swap64();
}
