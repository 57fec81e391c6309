import { faultOf, unreadable, unsuitable } from '../volume-fault.js';
import { decodeInThread } from './decode-threads.js';
import type { DicomFacts, PixelFacts, PlaneFacts } from './dicom-facts.js';
import { DicomFile } from './dicom-file.js';
import { type DicomHeader, readDicomHeader } from './dicom-header.js';
import { UNDEFINED_LENGTH } from './dicom-elements.js';
import { type EncodedFrame, locateEncodedFrames, readEncodedFrame } from './encapsulated-frames.js';
import { readPixelFacts } from './pixel-facts.js';
import { whyPixelsUnsuitable } from './pixel-support.js';
import { readMosaic } from './siemens-mosaic.js';
import { frameBytes, type StoredPlane, type StoredValues, valuesOf } from './stored-plane.js';
import { codecOf, type PixelCodec } from './transfer-syntax.js';

export type { StoredPlane } from './stored-plane.js';

/** Frames of one file that are decoded at the same time. */
const FRAMES_AHEAD = 8;

/**
 * The stored numbers of planes of one file, in the order asked for, decoded but not rescaled. Compressed frames are decoded in
 * a few threads that all calls share: read several files at once to use them. VOLUME_UNSUITABLE for colour and encodings that
 * are not read, VOLUME_UNREADABLE for damage, also when the file is no longer what the facts say.
 */
export async function readDicomPlanes(facts: DicomFacts, planes: readonly PlaneFacts[]): Promise<StoredPlane[]> {
  try {
    const reason = whyPixelsUnsuitable(facts);
    if (reason !== undefined || facts.pixels === undefined) throw unsuitable(reason ?? '');
    const file = await DicomFile.open(facts.path);
    try {
      const pixels = facts.pixels;
      const places = await locateFrames(file, facts, pixels);
      return await readPlanes((frame) => readFrame(file, places, frame, pixels), pixels, planes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw faultOf(error, facts.path);
  }
}

async function readPlanes(
  read: (frame: number) => Promise<StoredValues>,
  pixels: PixelFacts,
  planes: readonly PlaneFacts[],
): Promise<StoredPlane[]> {
  const results: StoredPlane[] = [];
  const wanted = [...new Set(planes.map(({ frame }) => frame))];
  for (let first = 0; first < wanted.length; first += FRAMES_AHEAD) {
    const batch = wanted.slice(first, first + FRAMES_AHEAD);
    const frames = new Map(await Promise.all(batch.map(async (frame) => [frame, await read(frame)] as const)));
    for (const [index, plane] of planes.entries()) {
      const values = frames.get(plane.frame);
      if (values !== undefined) results[index] = planeOf(values, plane, pixels);
    }
  }
  return results;
}

function planeOf(values: StoredValues, { tile }: PlaneFacts, pixels: PixelFacts): StoredPlane {
  const { planeColumns: columns, planeRows: rows } = pixels;
  return { columns, rows, values: tile === undefined ? values : cutTile(values, tile, pixels) };
}

function cutTile(values: StoredValues, [column, row]: readonly [number, number], pixels: PixelFacts): StoredValues {
  const { columns, planeColumns, planeRows } = pixels;
  const tile = values.slice(0, planeColumns * planeRows);
  for (let y = 0; y < planeRows; y++) {
    const start = (row * planeRows + y) * columns + column * planeColumns;
    tile.set(values.subarray(start, start + planeColumns), y * planeColumns);
  }
  return tile;
}

/** Where the frames of a file lie; kept between calls for files of many frames. */
interface FramePlaces {
  readonly sizeBytes: number;
  readonly changedMs: number;
  readonly start: number;
  readonly lengthBytes: number;
  readonly bigEndian: boolean;
  /** Bytes are stored as words of two, the second first: 8-bit pixels as OW in big endian (PS3.5 annex A.3). */
  readonly inWords: boolean;
  readonly codec: PixelCodec;
  readonly encoded: readonly EncodedFrame[];
}

const knownPlaces = new WeakMap<DicomFacts, FramePlaces>();

async function locateFrames(file: DicomFile, facts: DicomFacts, pixels: PixelFacts): Promise<FramePlaces> {
  const known = knownPlaces.get(facts);
  if (known?.sizeBytes === file.sizeBytes && known.changedMs === file.changedMs) return known;
  const header = await readDicomHeader(file);
  const codec = codecOf(facts.transferSyntax);
  if (header?.pixelData === undefined || codec === undefined || !isSame(header, facts, pixels)) throw changed();
  const { start, length } = header.pixelData;
  if ((codec === 'none') === (length === UNDEFINED_LENGTH)) {
    throw unreadable('the pixel data is damaged: fragments where the header says none, or none where it says some');
  }
  const encoded = codec === 'none' ? [] : await locateEncodedFrames(file, header, pixels.frames);
  const { bigEndian } = header.encoding;
  const inWords = bigEndian && header.pixelData.vr === 'OW' && pixels.bitsAllocated === 8;
  const { sizeBytes, changedMs } = file;
  const places = { sizeBytes, changedMs, start, lengthBytes: length, bigEndian, inWords, codec, encoded };
  if (pixels.frames > 1 && !file.isInflated) knownPlaces.set(facts, places);
  return places;
}

async function readFrame(file: DicomFile, places: FramePlaces, frame: number, pixels: PixelFacts): Promise<StoredValues> {
  if (frame < 0 || frame >= pixels.frames) throw changed();
  if (places.codec !== 'none') {
    return decodeInThread(await readEncodedFrame(file, places.encoded[frame] ?? []), places.codec, pixels);
  }
  const bytes = frameBytes(pixels);
  if ((frame + 1) * bytes > places.lengthBytes) throw unreadable('the pixel data is cut short');
  return valuesOf(await readPlain(file, places, frame * bytes, bytes), pixels, places.bigEndian);
}

async function readPlain(file: DicomFile, { start, inWords }: FramePlaces, at: number, bytes: number): Promise<Buffer> {
  if (!inWords) return file.read(start + at, bytes);
  const skipped = at % 2;
  const words = await file.read(start + at - skipped, 2 * Math.ceil((skipped + bytes) / 2));
  return words
    .subarray(0, words.length - (words.length % 2))
    .swap16()
    .subarray(skipped);
}

function changed(): Error {
  return unreadable('the file has changed since its header was read');
}

function isSame(header: DicomHeader, facts: DicomFacts, pixels: PixelFacts): boolean {
  const now = readPixelFacts(header.attributes, header.pixelData?.tag ?? 0, readMosaic(header.attributes));
  return header.transferSyntax === facts.transferSyntax && JSON.stringify(now) === JSON.stringify(pixels);
}
