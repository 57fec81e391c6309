/** DICOM data sets in explicit little endian (PS3.5 section 7.1.2), for the few objects that this program writes. */

/** Text (values joined by a backslash), numbers of the VR, bytes as they are, or the items of a sequence. */
export interface WrittenElement {
  readonly tag: number;
  readonly vr: string;
  readonly value: string | readonly number[] | Uint8Array | readonly DataSet[];
}
export type DataSet = readonly WrittenElement[];

/** VRs with a four-byte length. */
const LONG_VRS = new Set('OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' '));
const ITEM = 0xfffee000;
const PREAMBLE_BYTES = 128;
const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';

/** A file of one object: preamble, file meta information (PS3.10 section 7.1), data set. */
export function dicomFile(sopClass: string, sopInstance: string, dataSet: DataSet): Buffer {
  const meta = encodeDataSet([
    { tag: 0x00020001, vr: 'OB', value: Uint8Array.of(0, 1) },
    text(0x00020002, 'UI', sopClass),
    text(0x00020003, 'UI', sopInstance),
    text(0x00020010, 'UI', EXPLICIT_LITTLE),
    text(0x00020012, 'UI', IMPLEMENTATION_CLASS),
    text(0x00020013, 'SH', 'CONSILIUM'),
  ]);
  const length = encodeDataSet([{ tag: 0x00020000, vr: 'UL', value: [meta.length] }]);
  return Buffer.concat([Buffer.alloc(PREAMBLE_BYTES), Buffer.from('DICM'), length, meta, encodeDataSet(dataSet)]);
}

/** Names this program's way of writing files; made of a UUID once and for all (PS3.5 section B.2). */
const IMPLEMENTATION_CLASS = '2.25.273245207549396864790959092145707382557';

export function text(tag: number, vr: string, value: string): WrittenElement {
  return { tag, vr, value };
}

export function sequence(tag: number, ...items: DataSet[]): WrittenElement {
  return { tag, vr: 'SQ', value: items };
}

export function unsignedShort(tag: number, value: number): WrittenElement {
  return { tag, vr: 'US', value: [value] };
}

/** A number as text of at most 16 characters (VR DS). */
export function decimals(tag: number, ...values: number[]): WrittenElement {
  return text(tag, 'DS', values.map(decimalText).join('\\'));
}

function decimalText(value: number): string {
  for (let digits = 15; digits > 0; digits--) {
    const shown = String(Number(value.toPrecision(digits)));
    if (shown.length <= 16) return shown;
  }
  return '0';
}

/** In ascending order of tags, whatever the order given. */
export function encodeDataSet(elements: DataSet): Buffer {
  return Buffer.concat(elements.toSorted((a, b) => a.tag - b.tag).map(encodeElement));
}

function encodeElement({ tag, vr, value }: WrittenElement): Buffer {
  const content = encodeValue(vr, value);
  const head = Buffer.alloc(LONG_VRS.has(vr) ? 12 : 8);
  writeTag(head, 0, tag);
  head.write(vr, 4, 'latin1');
  if (LONG_VRS.has(vr)) head.writeUInt32LE(content.length, 8);
  else head.writeUInt16LE(content.length, 6);
  return Buffer.concat([head, content]);
}

function encodeValue(vr: string, value: WrittenElement['value']): Buffer {
  if (value instanceof Uint8Array) return evenLength(Buffer.from(value), 0);
  if (typeof value === 'string') return evenLength(Buffer.from(value, 'latin1'), vr === 'UI' ? 0 : 0x20);
  if (vr === 'SQ') return Buffer.concat((value as readonly DataSet[]).flatMap(encodeItem));
  return Buffer.concat((value as readonly number[]).map((number) => encodeNumber(vr, number)));
}

function encodeItem(dataSet: DataSet): Buffer[] {
  const content = encodeDataSet(dataSet);
  const head = Buffer.alloc(8);
  writeTag(head, 0, ITEM);
  head.writeUInt32LE(content.length, 4);
  return [head, content];
}

function encodeNumber(vr: string, number: number): Buffer {
  const bytes = Buffer.alloc(vr === 'US' ? 2 : 4);
  if (vr === 'AT') writeTag(bytes, 0, number);
  else if (vr === 'US') bytes.writeUInt16LE(number);
  else bytes.writeUInt32LE(number);
  return bytes;
}

function writeTag(bytes: Buffer, at: number, tag: number): void {
  bytes.writeUInt16LE(Math.floor(tag / 0x10000), at);
  bytes.writeUInt16LE(tag % 0x10000, at + 2);
}

function evenLength(bytes: Buffer, padding: number): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(padding)]);
}
