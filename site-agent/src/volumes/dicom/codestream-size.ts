/** What an encoded picture says of itself in its own header. */
export interface CodestreamSize {
  readonly columns: number;
  readonly rows: number;
  readonly components: number;
  readonly bits: number;
  /** JPEG and JPEG-LS know no signs. */
  readonly signed: boolean;
}

/** Frame headers of the processes that each codec decodes: Huffman-coded DCT, lossless, JPEG-LS. */
export const FRAME_HEADERS = {
  jpeg: new Set([0xffc0, 0xffc1, 0xffc2]),
  'jpeg-lossless': new Set([0xffc3]),
  'jpeg-ls': new Set([0xfff7]),
} as const;

/** EOI of JPEG; EOC of JPEG 2000 is the same. */
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
const START_OF_CODESTREAM = Buffer.from([0xff, 0x4f, 0xff, 0x51]);
const START_OF_TILE_PART = 0xff90;
const END_OF_CODESTREAM = 0xffd9;
/** Padding and other bytes that some writers leave behind the end marker. */
const LONGEST_TAIL_BYTES = 4096;
const MOST_TILES = 16_384;

/**
 * The frame header of a JPEG or JPEG-LS picture (ISO/IEC 10918-1 annex B, 14495-1 annex C); undefined when there is none of
 * the given kinds. Decoders allocate by it, so it is compared with the DICOM header before they see the picture.
 */
export function jpegSize(bytes: Uint8Array, frameHeaders: ReadonlySet<number>): CodestreamSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let position = 2; position + 4 <= bytes.length;) {
    const marker = view.getUint16(position);
    if (marker === 0xffff) {
      position += 1; // fill bytes
      continue;
    }
    if (marker < 0xffc0 || marker === 0xffda || marker === 0xffd9) return undefined;
    if (isFrameHeader(marker)) {
      if (position + 10 > bytes.length || !frameHeaders.has(marker)) return undefined;
      const [rows, columns] = [view.getUint16(position + 5), view.getUint16(position + 7)];
      return { rows, columns, bits: view.getUint8(position + 4), components: view.getUint8(position + 9), signed: false };
    }
    position += 2 + view.getUint16(position + 2);
  }
  return undefined;
}

/** The SIZ segment of a JPEG 2000 codestream (ISO/IEC 15444-1 section A.5.1), bare or inside a JP2 file. */
export function jpeg2000Size(bytes: Buffer): CodestreamSize | undefined {
  const start = jpeg2000Start(bytes);
  if (start < 0 || start + 45 > bytes.length || bytes.readUInt32BE(start) !== 0xff4fff51) return undefined;
  const at = (index: number): number => bytes.readUInt32BE(start + 8 + 4 * index);
  const [columns, rows] = [at(0) - at(2), at(1) - at(3)];
  const [tileColumns, tileRows] = [at(4), at(5)];
  if (tileColumns === 0 || tileRows === 0) return undefined;
  if (Math.ceil(columns / tileColumns) * Math.ceil(rows / tileRows) > MOST_TILES) return undefined;
  const precision = bytes.readUInt8(start + 42);
  if (bytes.readUInt8(start + 43) !== 1 || bytes.readUInt8(start + 44) !== 1) return undefined; // subsampled
  return { columns, rows, components: bytes.readUInt16BE(start + 40), bits: (precision & 0x7f) + 1, signed: precision > 0x7f };
}

/** Whether the picture has its end marker: decoders fill in what is missing before it, in silence. */
export function isJpegComplete(bytes: Buffer): boolean {
  return bytes.indexOf(END_OF_IMAGE, Math.max(0, bytes.length - LONGEST_TAIL_BYTES)) >= 0;
}

/** Whether all tile-parts are there in full (SOT segments, ISO/IEC 15444-1 section A.4.2). The end marker may be missing. */
export function isJpeg2000Complete(bytes: Buffer): boolean {
  let position = jpeg2000Start(bytes) + 2;
  let parts = 0;
  while (position + 12 <= bytes.length) {
    const marker = bytes.readUInt16BE(position);
    if (marker === END_OF_CODESTREAM) return parts > 0;
    if (marker !== START_OF_TILE_PART) {
      if (parts > 0) return true; // padding, or boxes of a JP2 file
      position += 2 + bytes.readUInt16BE(position + 2);
      continue;
    }
    const length = bytes.readUInt32BE(position + 6);
    if (length === 0) return bytes.lastIndexOf(END_OF_IMAGE) > position; // up to the end marker
    if (length < 14 || position + length > bytes.length) return false;
    position += length;
    parts++;
  }
  return parts > 0;
}

function jpeg2000Start(bytes: Buffer): number {
  return bytes.readUInt8(0) === 0xff ? 0 : bytes.indexOf(START_OF_CODESTREAM);
}

/** SOF0–SOF15 without DHT, JPG and DAC, and SOF55 of JPEG-LS. */
function isFrameHeader(marker: number): boolean {
  if (marker === 0xfff7) return true;
  return marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
}
