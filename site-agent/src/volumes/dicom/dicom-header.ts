import { unreadable } from '../volume-fault.js';
import { DicomAttributes, isUnicode, type StoredElement } from './dicom-attributes.js';
import {
  BYTES_SHORT,
  type ElementHeader,
  type Encoding,
  encodingWithin,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  looksLike,
} from './dicom-elements.js';
import type { DicomFile } from './dicom-file.js';
import { FileWindow, NEXT_READ_BYTES } from './file-window.js';
import { IDENTIFYING_TAGS } from './dicom-identity.js';
import { PRIVATE, TAG } from './dicom-tags.js';

export interface DicomHeader {
  readonly transferSyntax: string;
  /** Of a directory of files (DICOMDIR), for one. */
  readonly mediaStorageClass: string | undefined;
  readonly attributes: DicomAttributes;
  readonly encoding: Encoding;
  /** Where the pixels begin; undefined for objects without. */
  readonly pixelData: ElementHeader | undefined;
}

const FIRST_READ_BYTES = 32 * 1024;
/** Of one value or sequence that is wanted, and of a sequence that must be walked to find its end. */
const MOST_ELEMENT_BYTES = 64 * 1024 * 1024;
const SMALL_VALUE_BYTES = 1024;
const MOST_ELEMENTS = 1_000_000;
const PREAMBLE_BYTES = 128;

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const BIG_ENDIAN = '1.2.840.10008.1.2.2';

const WANTED = new Set<number>([...Object.values(TAG), ...IDENTIFYING_TAGS.keys()]);
const PRIVATE_GROUPS = new Set<number>(Object.values(PRIVATE).map(({ group }) => group));
const PIXEL_TAGS = new Set<number>([TAG.floatPixelData, TAG.doublePixelData, TAG.pixelData]);

/**
 * The header of a DICOM file up to its pixels; undefined when the file is not DICOM. Reads only the pieces that hold what is
 * wanted. VOLUME_UNREADABLE when it is DICOM but damaged.
 */
export async function readDicomHeader(file: DicomFile): Promise<DicomHeader | undefined> {
  const window = new FileWindow(file);
  await window.reach(0, FIRST_READ_BYTES);
  const marked = window.bytes.toString('latin1', PREAMBLE_BYTES, PREAMBLE_BYTES + 4) === 'DICM';
  if (!marked && !beginsLikeDicom(window.bytes)) return undefined;
  try {
    return await readBehindPreamble(file, window, marked ? PREAMBLE_BYTES + 4 : 0, marked);
  } catch (error) {
    if (marked) throw error;
    return undefined; // it only began like DICOM
  }
}

async function readBehindPreamble(file: DicomFile, window: FileWindow, start: number, marked: boolean) {
  const meta = new Map<number, StoredElement>();
  const isImplicit = !looksLike(window.bytes, start, EXPLICIT_LITTLE) && looksLike(window.bytes, start, IMPLICIT_LITTLE);
  const bodyStart = await walk(window, start, isImplicit ? IMPLICIT_LITTLE : EXPLICIT_LITTLE, meta, (tag) => tag > 0x0002ffff);
  const metaAttributes = new DicomAttributes(meta, EXPLICIT_LITTLE);
  const stated = metaAttributes.text(TAG.transferSyntax);
  if (stated === DEFLATED) {
    await file.inflateFrom(bodyStart);
    window.forget();
  }
  await window.reach(bodyStart, 8);
  const encoding = chooseEncoding(window.bytesFrom(bodyStart), stated);
  const elements = new Map<number, StoredElement>();
  const end = await walk(window, bodyStart, encoding, elements, (tag) => PIXEL_TAGS.has(tag));
  const attributes = new DicomAttributes(elements, encoding, isUnicode(elements));
  if (!marked && !convinces(attributes)) return undefined;
  return {
    transferSyntax: stated ?? (encoding.explicit ? EXPLICIT : IMPLICIT),
    mediaStorageClass: metaAttributes.text(TAG.mediaStorageClass),
    attributes,
    encoding,
    pixelData: pixelDataAt(window, end, encoding),
  };
}

/** Elements from `position` on; those wanted go into `elements`. Stops before the first that `isLast` names. */
async function walk(
  window: FileWindow,
  start: number,
  encoding: Encoding,
  elements: Map<number, StoredElement>,
  isLast: (tag: number) => boolean,
): Promise<number> {
  let position = start;
  let keptBytes = 0;
  for (let count = 0; count < MOST_ELEMENTS; count++) {
    if (!(await window.reach(position, 12)) && !window.holds(position, 8)) return position;
    if (isLast(window.tagAt(position, encoding))) return position;
    const element = window.elementAt(position, encoding);
    if (element === undefined || isPadding(element)) return position;
    const end = await endOf(window, position, element, encoding);
    if (isWanted(element.tag, end - element.start, elements)) {
      keptBytes += end - element.start;
      if (keptBytes > MOST_ELEMENT_BYTES) throw unreadable('the DICOM header holds values too large to be true');
      await window.reach(position, end - position);
      const value = window.between(element.start, end);
      elements.set(element.tag, { vr: element.vr, value, encoding: encodingWithin(element, encoding) });
    }
    position = end;
  }
  throw unreadable('the DICOM header holds too many elements');
}

function pixelDataAt(window: FileWindow, position: number, encoding: Encoding): ElementHeader | undefined {
  const isThere = window.holds(position, 12) && PIXEL_TAGS.has(window.tagAt(position, encoding));
  return isThere ? window.elementAt(position, encoding) : undefined;
}

async function endOf(window: FileWindow, position: number, element: ElementHeader, encoding: Encoding): Promise<number> {
  for (let reach = NEXT_READ_BYTES; ; reach *= 4) {
    const end = window.endOf(element, encoding);
    if (end !== BYTES_SHORT) {
      if (end > window.fileBytes) throw unreadable('the DICOM header is cut short');
      return end;
    }
    if (reach > MOST_ELEMENT_BYTES) throw unreadable('the DICOM header holds a sequence too long to be true');
    if (window.reachesEnd()) throw unreadable('the DICOM header is cut short');
    await window.reach(position, reach);
  }
}

/** Large private values are kept for mosaics alone, whose geometry lies in one. */
function isWanted(tag: number, lengthBytes: number, elements: ReadonlyMap<number, StoredElement>): boolean {
  if (WANTED.has(tag)) return true;
  if (!PRIVATE_GROUPS.has(Math.floor(tag / 0x10000))) return false;
  return lengthBytes <= SMALL_VALUE_BYTES || (elements.get(TAG.imageType)?.value.includes('MOSAIC') ?? false);
}

/** Zeros behind the last element. */
function isPadding({ tag, length }: ElementHeader): boolean {
  return tag === 0 && length === 0;
}

/** What the data set is in, whatever the file says: some writers state one encoding and use another. */
function chooseEncoding(bytes: Buffer, stated: string | undefined): Encoding {
  if (stated === BIG_ENDIAN) return EXPLICIT_BIG;
  const expected =
    stated === IMPLICIT || (stated === undefined && !looksLike(bytes, 0, EXPLICIT_LITTLE)) ? IMPLICIT_LITTLE : EXPLICIT_LITTLE;
  const other = expected.explicit ? IMPLICIT_LITTLE : EXPLICIT_LITTLE;
  const isOther = expected.explicit ? !looksLike(bytes, 0, expected) && looksLike(bytes, 0, other) : looksLike(bytes, 0, other);
  return isOther ? other : expected;
}

/** Whether bytes without the mark "DICM" might yet be a data set: they begin with group 0002 or 0008. */
function beginsLikeDicom(bytes: Buffer): boolean {
  if (bytes.length < 16) return false;
  const group = bytes.readUInt16LE(0);
  if (group !== 2 && group !== 8) return false;
  return looksLike(bytes, 0, EXPLICIT_LITTLE) || (group === 8 && looksLike(bytes, 0, IMPLICIT_LITTLE));
}

function convinces(attributes: DicomAttributes): boolean {
  return (
    /^1\.2\.840\.10008\.[\d.]+$/.test(attributes.text(TAG.sopClass) ?? '') && attributes.text(TAG.seriesInstance) !== undefined
  );
}
