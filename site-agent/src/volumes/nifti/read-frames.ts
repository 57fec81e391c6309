import { isCompressed } from './byte-source.js';
import { FrameDecoder } from './frame-decoder.js';
import { MemoryAllowance } from './memory-allowance.js';
import { contentOf } from './nifti-content.js';
import { rasGeometryOf } from './nifti-geometry.js';
import { MAXIMUM_VOXELS } from './nifti-header.js';
import { cutShort, frameBytesOf, type OpenNifti, tooMuch, TRAILING_BYTES_ALLOWED } from './nifti-parts.js';

/** One volume as floats, and the working space of decoding beside it. */
const CEILING_BYTES = 4 * MAXIMUM_VOXELS + 2 ** 26;

/** One frame at a time in RAS order. */
export interface FrameVoxels {
  readonly frame: number;
  readonly voxels: Float32Array;
}

/**
 * The frames from one to another (not included) in one pass over the file, holding one at a time. Whoever reads up to the last
 * frame of a compressed file also learns whether its checksum is right.
 */
export async function* readFrames(
  { header, image }: OpenNifti,
  from: number,
  to: number,
  newAllowance = (): MemoryAllowance => new MemoryAllowance(CEILING_BYTES),
): AsyncGenerator<FrameVoxels> {
  const { orientation } = rasGeometryOf(header);
  const frameBytes = frameBytesOf(header);
  const begin = header.voxelOffsetBytes + from * frameBytes;
  const end = begin + (to - from) * frameBytes;
  const compressed = isCompressed(image);
  let position = compressed ? 0 : begin;
  let frame = from;
  let missing = frameBytes;
  let decoder: FrameDecoder | undefined;
  for await (const chunk of contentOf(image, begin)) {
    let at = Math.max(0, begin - position);
    while (frame < to && at < chunk.length) {
      decoder ??= new FrameDecoder(header, orientation, newAllowance());
      const part = chunk.subarray(at, at + missing);
      decoder.accept(part);
      at += part.length;
      missing -= part.length;
      if (missing > 0) continue;
      frame++;
      if (frame === header.frames) break; // given out below, when the rest of the stream has proved sound
      yield { frame: frame - 1, voxels: decoder.finish() };
      decoder = undefined;
      missing = frameBytes;
    }
    position += chunk.length;
    if (frame === to && (to < header.frames || !compressed)) break;
    if (position > end + TRAILING_BYTES_ALLOWED) throw tooMuch();
  }
  if (frame < to) throw cutShort();
  if (decoder !== undefined) yield { frame: to - 1, voxels: decoder.finish() };
}
