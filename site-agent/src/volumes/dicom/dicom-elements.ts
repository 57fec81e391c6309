import { unreadable } from '../volume-fault.js';

/**
 * The element structure of DICOM data sets (PS3.5 section 7), read in place. Written for hostile input: nothing is allocated
 * for what is passed over, depth is bounded, and lengths are checked against the bytes that are there.
 */
export interface Encoding {
  readonly explicit: boolean;
  readonly bigEndian: boolean;
}

export const IMPLICIT_LITTLE: Encoding = { explicit: false, bigEndian: false };
export const EXPLICIT_LITTLE: Encoding = { explicit: true, bigEndian: false };
export const EXPLICIT_BIG: Encoding = { explicit: true, bigEndian: true };

export interface ElementHeader {
  readonly tag: number;
  /** Empty where the file does not say (implicit VR). */
  readonly vr: string;
  /** Where the value begins. */
  readonly start: number;
  /** UNDEFINED_LENGTH when delimiters end the value. */
  readonly length: number;
}

export const UNDEFINED_LENGTH = 0xffffffff;
/** What `endOfElement` says when the bytes end before the element does. */
export const BYTES_SHORT = -1;

const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const MOST_DEPTH = 32;
/** VRs with a two-byte length; all others in capitals have four after two reserved bytes, so also those not yet invented. */
const SHORT_VRS = new Set('AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US'.split(' '));
/** What some writers put where they do not know the VR; a two-byte length follows. */
const UNKNOWN_VR = /^[ ?\-\0]{2}$/;
/** Every VR that a data set may begin with. */
const KNOWN_VRS = new Set([...SHORT_VRS, ...'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ')]);

/** The element that begins at `position`; undefined when the bytes end before its value does begin. */
export function readElementHeader(bytes: Buffer, position: number, encoding: Encoding): ElementHeader | undefined {
  if (position + 8 > bytes.length) return undefined;
  const tag = readTag(bytes, position, encoding);
  if (!encoding.explicit || tag >= ITEM) {
    return { tag, vr: '', start: position + 8, length: read32(bytes, position + 4, encoding) };
  }
  const vr = bytes.toString('latin1', position + 4, position + 6);
  if (SHORT_VRS.has(vr) || UNKNOWN_VR.test(vr))
    return { tag, vr, start: position + 8, length: read16(bytes, position + 6, encoding) };
  if (!/^[A-Z]{2}$/.test(vr)) throw unreadable('the DICOM header is damaged: an element without a value representation');
  if (position + 12 > bytes.length) return undefined;
  return { tag, vr, start: position + 12, length: read32(bytes, position + 8, encoding) };
}

/** Where an element ends; BYTES_SHORT when delimiters end it and lie past the bytes. */
export function endOfElement(bytes: Buffer, element: ElementHeader, encoding: Encoding, depth = 0): number {
  if (element.length !== UNDEFINED_LENGTH) return element.start + element.length;
  return endOfItems(bytes, element.start, encodingWithin(element, encoding), depth + 1);
}

/** How the items of an element are stored: those of an unknown VR are implicit (PS3.5 section 6.2.2, note 2). */
export function encodingWithin(element: ElementHeader, encoding: Encoding): Encoding {
  return element.vr === 'UN' ? IMPLICIT_LITTLE : encoding;
}

/** Calls back with the bounds of each item of a sequence's value, at most `most` times. */
export function eachItem(value: Buffer, encoding: Encoding, most: number, take: (from: number, to: number) => void): void {
  let position = 0;
  for (let count = 0; count < most && position + 8 <= value.length; count++) {
    const tag = readTag(value, position, encoding);
    if (tag === SEQUENCE_END) return;
    if (tag !== ITEM) throw unreadable('the DICOM header is damaged: a sequence holds something that is no item');
    const length = read32(value, position + 4, encoding);
    const from = position + 8;
    const next = length === UNDEFINED_LENGTH ? endOfItem(value, from, encoding, 1) : from + length;
    if (next === BYTES_SHORT || next > value.length)
      throw unreadable('the DICOM header is damaged: an item ends past its sequence');
    take(from, length === UNDEFINED_LENGTH ? next - 8 : next);
    position = next;
  }
}

/** Whether an element of a data set begins here as this encoding would have it. */
export function looksLike(bytes: Buffer, position: number, encoding: Encoding): boolean {
  if (position + 8 > bytes.length) return false;
  const tag = readTag(bytes, position, encoding);
  if (tag < 0x00020000 || tag > 0x0010ffff) return false;
  if (encoding.explicit) return KNOWN_VRS.has(bytes.toString('latin1', position + 4, position + 6));
  return read32(bytes, position + 4, encoding) <= 0xffff;
}

function endOfItems(bytes: Buffer, start: number, encoding: Encoding, depth: number): number {
  if (depth > MOST_DEPTH) throw unreadable('the DICOM header is damaged: sequences nested too deep');
  let position = start;
  while (position + 8 <= bytes.length) {
    const tag = readTag(bytes, position, encoding);
    const length = read32(bytes, position + 4, encoding);
    if (tag === SEQUENCE_END) return position + 8;
    if (tag !== ITEM) throw unreadable('the DICOM header is damaged: a sequence holds something that is no item');
    const next = length === UNDEFINED_LENGTH ? endOfItem(bytes, position + 8, encoding, depth) : position + 8 + length;
    if (next === BYTES_SHORT) return BYTES_SHORT;
    position = next;
  }
  return BYTES_SHORT;
}

function endOfItem(bytes: Buffer, start: number, encoding: Encoding, depth: number): number {
  let position = start;
  for (;;) {
    const element = readElementHeader(bytes, position, encoding);
    if (element === undefined) return BYTES_SHORT;
    if (element.tag === ITEM_END) return element.start;
    const end = endOfElement(bytes, element, encoding, depth);
    if (end === BYTES_SHORT) return BYTES_SHORT;
    position = end;
  }
}

function readTag(bytes: Buffer, position: number, encoding: Encoding): number {
  return read16(bytes, position, encoding) * 0x10000 + read16(bytes, position + 2, encoding);
}

function read16(bytes: Buffer, position: number, { bigEndian }: Encoding): number {
  return bigEndian ? bytes.readUInt16BE(position) : bytes.readUInt16LE(position);
}

function read32(bytes: Buffer, position: number, { bigEndian }: Encoding): number {
  return bigEndian ? bytes.readUInt32BE(position) : bytes.readUInt32LE(position);
}
