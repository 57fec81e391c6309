import { unreadable } from '../volume-fault.js';
import { gatheredCodecs } from './codec-modules.js';
import { type FrameForm, frameBytes } from './stored-plane.js';

const RLE_SYNTAX = '1.2.840.10008.1.2.5';
const HEADER_BYTES = 64;

/**
 * RLE lossless (PS3.5 annex G): one segment of packed bytes for each byte of the samples, the highest first. The codec trusts
 * the segments' offsets and lengths, so they are checked before it sees them.
 */
export async function decodeRle(encoded: Buffer, form: FrameForm): Promise<Buffer> {
  checkSegments(encoded, form);
  const frame = new Uint8Array(encoded); // the codec takes all of the memory beneath
  frame.fill(0, 4 + 4 * (form.bitsAllocated / 8) * form.samplesPerPixel, HEADER_BYTES);
  const { imageFrame } = await gatheredCodecs().decode(frame, form, RLE_SYNTAX);
  return Buffer.from(imageFrame.buffer, imageFrame.byteOffset, imageFrame.byteLength);
}

function checkSegments(encoded: Buffer, form: FrameForm): void {
  const segments = (form.bitsAllocated / 8) * form.samplesPerPixel;
  if (encoded.length < HEADER_BYTES || encoded.readUInt32LE(0) !== segments) throw damaged();
  const starts = Array.from({ length: segments }, (_, index) => encoded.readUInt32LE(4 + 4 * index));
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? encoded.length;
    if (start < HEADER_BYTES || end > encoded.length || start > end) throw damaged();
    if (unpackedBytes(encoded, start, end) < frameBytes(form) / segments) throw unreadable('the pixel data is cut short');
  }
}

/** How many bytes a segment unpacks to: its control bytes alone tell. */
function unpackedBytes(encoded: Buffer, start: number, end: number): number {
  let count = 0;
  for (let position = start; position < end;) {
    const control = encoded.readInt8(position);
    if (control >= 0) {
      count += Math.min(control + 1, end - position - 1);
      position += control + 2;
    } else {
      if (control !== -128 && position + 1 < end) count += 1 - control;
      position += control === -128 ? 1 : 2;
    }
  }
  return count;
}

function damaged(): Error {
  return unreadable('the pixel data is damaged (RLE segments)');
}
