import { unreadable, unsuitable } from '../volume-fault.js';
import { codecModule, dropCodecModule, newLosslessDecoder, type WasmCodec } from './codec-modules.js';
import {
  type CodestreamSize,
  FRAME_HEADERS,
  isJpeg2000Complete,
  isJpegComplete,
  jpeg2000Size,
  jpegSize,
} from './codestream-size.js';
import { decodeRle } from './decode-rle.js';
import { extractBits, type FrameForm, frameBytes, type StoredValues, valuesOf } from './stored-plane.js';
import type { PixelCodec } from './transfer-syntax.js';

/** Decoders may look a few bytes past a damaged picture's end; there they find the end of the image once more. */
const END_PADDING = Uint8Array.of(0xff, 0xd9, ...new Uint8Array(62));
/** A module that has grown past this is started anew after the frame. */
const MOST_MODULE_BYTES = 512 * 1024 * 1024;

/**
 * The stored values of one encoded frame. What the encoded picture says of its size must be what the DICOM header says;
 * VOLUME_UNREADABLE otherwise, and for damage that the codec notices.
 */
export async function decodeFrame(encoded: Buffer, codec: Exclude<PixelCodec, 'none'>, form: FrameForm): Promise<StoredValues> {
  if (encoded.length === 0) throw unreadable('the pixel data is cut short');
  if (codec === 'rle') return valuesOf(await decodeRle(encoded, form), form, false);
  const size = checkedSize(encoded, codec, form);
  const bytes = codec === 'jpeg-lossless' ? decodeLossless(encoded, form) : await decodeByWasm(encoded, codec, form, size);
  const values = valuesOf(bytes, { ...form, bitsStored: form.bitsAllocated, highBit: form.bitsAllocated - 1 }, false);
  extractBits(values, usedBits(codec, form, size), 0, form.signed);
  return values;
}

/**
 * Codecs hand a sample down from bit 0. How many of its bits count is the codestream's to say, which may be fewer than the
 * header names, or more; but a codec without signs has filled those above the header's with anything.
 */
function usedBits(codec: PixelCodec, { bitsStored, signed }: FrameForm, size: CodestreamSize): number {
  const trusted = codec !== 'jpeg-lossless' && (!signed || size.signed);
  return trusted ? size.bits : Math.min(bitsStored, size.bits);
}

function checkedSize(encoded: Buffer, codec: Exclude<PixelCodec, 'none' | 'rle'>, form: FrameForm): CodestreamSize {
  const size =
    codec === 'jpeg-2000' || codec === 'ht-jpeg-2000' ? jpeg2000Size(encoded) : jpegSize(encoded, FRAME_HEADERS[codec]);
  if (size === undefined) throw unreadable('the pixel data is damaged: the compressed picture has no valid header');
  const { columns, rows, components, bits } = size;
  if (columns !== form.columns || rows !== form.rows || components !== form.samplesPerPixel || bits > form.bitsAllocated) {
    throw unreadable('the pixel data is damaged: the compressed picture is not of the size that the DICOM header says');
  }
  if (!isComplete(encoded, codec)) throw unreadable('the pixel data is cut short');
  if (bits < 2 || bits > 16) throw unsuitable(`its compressed pixels have ${bits} bits each`);
  if (codec === 'jpeg' && bits > 8) throw unsuitable(`it is compressed as JPEG with ${bits} bits, with loss; that is not read`);
  return size;
}

function isComplete(encoded: Buffer, codec: Exclude<PixelCodec, 'none' | 'rle'>): boolean {
  return codec === 'jpeg-2000' || codec === 'ht-jpeg-2000' ? isJpeg2000Complete(encoded) : isJpegComplete(encoded);
}

function decodeLossless(encoded: Buffer, form: FrameForm): Buffer {
  try {
    const values = newLosslessDecoder().decode(encoded.buffer, encoded.byteOffset, encoded.length, form.bitsAllocated / 8);
    return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  } catch (error) {
    throw unreadable('the pixel data is damaged (JPEG lossless)', error);
  }
}

async function decodeByWasm(encoded: Buffer, codec: WasmCodec, form: FrameForm, size: CodestreamSize): Promise<Buffer> {
  const module = await codecModule(codec);
  const decoder = module.newDecoder();
  let trapped = false;
  try {
    const input = decoder.getEncodedBuffer(encoded.length + END_PADDING.length);
    input.set(encoded);
    input.set(END_PADDING, encoded.length);
    decoder.decode();
    const info = decoder.getFrameInfo();
    if (info.width !== form.columns || info.height !== form.rows || info.componentCount !== form.samplesPerPixel)
      throw new Error('size');
    return widened(decoder.getDecodedBuffer(), size.bits, form);
  } catch (error) {
    trapped = error instanceof Error && error.name === 'RuntimeError';
    throw unreadable(`the pixel data is damaged (${codec.toUpperCase()})`, error);
  } finally {
    if (!trapped) decoder.delete();
    if (trapped || module.memoryBytes() > MOST_MODULE_BYTES) dropCodecModule(codec);
  }
}

/** A copy of the decoder's samples in the width of the DICOM header: decoders use one byte for up to eight bits. */
function widened(decoded: Uint8Array, bits: number, form: FrameForm): Buffer {
  const wanted = frameBytes(form);
  if (bits > 8 || form.bitsAllocated === 8) {
    if (decoded.length < wanted) throw unreadable('the pixel data is cut short');
    return Buffer.from(decoded.slice(0, wanted).buffer);
  }
  return Buffer.from(Uint16Array.from(decoded).buffer);
}
