import { unreadable } from '../volume-fault.js';
import { readOffsets } from './frame-offsets.js';
import type { DicomFile } from './dicom-file.js';
import type { DicomHeader } from './dicom-header.js';
import { TAG } from './dicom-tags.js';

/** One item of encapsulated pixel data. */
interface Fragment {
  /** Of the item's tag, counted from the first item after the basic offset table. */
  readonly offset: number;
  readonly start: number;
  readonly length: number;
}

const ITEM = 0xfffee000;
const SEQUENCE_END = 0xfffee0dd;
const WINDOW_BYTES = 64 * 1024;
const MOST_FRAGMENTS = 500_000;
const MOST_OFFSET_TABLE_BYTES = 8 * 100_000;
const MOST_ENCODED_FRAME_BYTES = 256 * 1024 * 1024;

/** The fragments that make up one frame. */
export type EncodedFrame = readonly Fragment[];

/**
 * Finds the frames of encapsulated pixel data (PS3.5 annex A.4): by the extended or basic offset table, one fragment for each
 * frame, all fragments for a single frame, or by where codestreams begin.
 */
export async function locateEncodedFrames(file: DicomFile, header: DicomHeader, frameCount: number): Promise<EncodedFrame[]> {
  const { fragments, table } = await readFragments(file, header.pixelData?.start ?? 0);
  if (fragments.length === 0) throw unreadable('the pixel data is cut short');
  const offsets = readOffsets(table, header.attributes.bytes(TAG.extendedOffsetTable), frameCount);
  return groupFragments(file, fragments, offsets, frameCount);
}

export async function readEncodedFrame(file: DicomFile, fragments: EncodedFrame): Promise<Buffer> {
  const total = fragments.reduce((sum, { length }) => sum + length, 0);
  if (total === 0) throw unreadable('the pixel data is cut short');
  if (total > MOST_ENCODED_FRAME_BYTES) throw unreadable('the pixel data is damaged: a compressed picture too large to be true');
  const parts: Buffer[] = [];
  for (const { start, length } of fragments) {
    const part = await file.read(start, length);
    if (part.length < length) throw unreadable('the pixel data is cut short');
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** Walks the items; those that follow a fragment that ends past the file are not there. */
async function readFragments(file: DicomFile, start: number): Promise<{ fragments: Fragment[]; table: Buffer }> {
  const heads = new ItemHeads(file);
  const first = await heads.at(start);
  if (first?.tag !== ITEM || first.length > MOST_OFFSET_TABLE_BYTES)
    throw unreadable('the pixel data is damaged: no offset table');
  const table = await file.read(start + 8, first.length);
  const base = start + 8 + first.length;
  const fragments: Fragment[] = [];
  for (let position = base; fragments.length < MOST_FRAGMENTS;) {
    const head = await heads.at(position);
    if (head === undefined || head.tag === SEQUENCE_END) return { fragments, table };
    if (head.tag !== ITEM) throw unreadable('the pixel data is damaged: something that is no fragment');
    fragments.push({ offset: position - base, start: position + 8, length: head.length });
    position += 8 + head.length;
  }
  throw unreadable('the pixel data is damaged: too many fragments');
}

async function groupFragments(
  file: DicomFile,
  fragments: readonly Fragment[],
  offsets: readonly number[] | undefined,
  frameCount: number,
): Promise<Fragment[][]> {
  if (frameCount === 1) return [[...fragments]];
  if (offsets !== undefined) return groupsFrom(fragments, new Set(offsets), frameCount);
  if (fragments.length === frameCount) return fragments.map((fragment) => [fragment]);
  const begins = new Set<number>();
  for (const fragment of fragments) {
    if (beginsCodestream(await file.read(fragment.start, 4))) begins.add(fragment.offset);
  }
  return groupsFrom(fragments, begins, frameCount);
}

function groupsFrom(fragments: readonly Fragment[], begins: ReadonlySet<number>, frameCount: number): Fragment[][] {
  const groups: Fragment[][] = [];
  for (const fragment of fragments) {
    if (begins.has(fragment.offset)) groups.push([fragment]);
    else groups.at(-1)?.push(fragment);
  }
  if (groups.length < frameCount) throw unreadable('the pixel data is damaged: frames are missing');
  return groups;
}

/** JPEG and JPEG-LS begin with SOI, JPEG 2000 with SOC and SIZ. */
function beginsCodestream(bytes: Buffer): boolean {
  return bytes.length === 4 && (bytes.readUInt16BE(0) === 0xffd8 || bytes.readUInt32BE(0) === 0xff4fff51);
}

/** Item tags and lengths, read a piece of the file at a time. */
class ItemHeads {
  private bytes: Buffer = Buffer.alloc(0);
  private base = 0;

  constructor(private readonly file: DicomFile) {}

  async at(position: number): Promise<{ tag: number; length: number } | undefined> {
    if (position < this.base || position + 8 > this.base + this.bytes.length) {
      this.bytes = await this.file.read(position, WINDOW_BYTES);
      this.base = position;
    }
    const at = position - this.base;
    if (at + 8 > this.bytes.length) return undefined;
    return {
      tag: this.bytes.readUInt16LE(at) * 0x10000 + this.bytes.readUInt16LE(at + 2),
      length: this.bytes.readUInt32LE(at + 4),
    };
  }
}
