import { BINARY_VR, type PrivateAttribute, TAG } from './dicom-tags.js';
import { BYTES_SHORT, eachItem, type Encoding, encodingWithin, endOfElement, readElementHeader } from './dicom-elements.js';

export interface StoredElement {
  readonly vr: string;
  readonly value: Buffer;
  /** Of the items, for a sequence. */
  readonly encoding: Encoding;
}

const LONGEST_TEXT_BYTES = 16_384;
const MOST_VALUES = 4096;

/** Values of a data set or of an item, decoded when asked for. What is missing, empty or no number is undefined. */
export class DicomAttributes {
  constructor(
    private readonly elements: ReadonlyMap<number, StoredElement>,
    private readonly encoding: Encoding,
    private readonly unicode = false,
  ) {}

  /** The elements of one item. */
  static within(item: Buffer, encoding: Encoding, unicode: boolean): DicomAttributes {
    const elements = new Map<number, StoredElement>();
    for (let position = 0; ;) {
      const element = readElementHeader(item, position, encoding);
      if (element === undefined) break;
      const end = endOfElement(item, element, encoding);
      if (end === BYTES_SHORT || end > item.length) break;
      const value = item.subarray(element.start, end);
      elements.set(element.tag, { vr: element.vr, value, encoding: encodingWithin(element, encoding) });
      position = end;
    }
    return new DicomAttributes(elements, encoding, unicode);
  }

  has(tag: number): boolean {
    return this.elements.has(tag);
  }

  bytes(tag: number): Buffer | undefined {
    return this.elements.get(tag)?.value;
  }

  text(tag: number): string | undefined {
    const value = this.elements.get(tag)?.value;
    if (value === undefined) return undefined;
    const encoding = this.unicode ? 'utf8' : 'latin1';
    const text = value.toString(encoding, 0, Math.min(value.length, LONGEST_TEXT_BYTES)).replace(/^[\s\0]+|[\s\0]+$/g, '');
    return text === '' ? undefined : text;
  }

  texts(tag: number): string[] {
    return (this.text(tag) ?? '').split('\\').map((part) => part.trim());
  }

  number(tag: number): number | undefined {
    return this.numbers(tag)[0];
  }

  /** All values; empty as soon as one of them is no finite number. */
  numbers(tag: number): number[] {
    const element = this.elements.get(tag);
    if (element === undefined || element.value.length === 0) return [];
    const vr = element.vr === '' || element.vr === 'UN' ? (BINARY_VR.get(tag) ?? '') : element.vr;
    const binary = binaryNumbers(element.value, vr, this.encoding.bigEndian);
    const numbers = binary ?? this.texts(tag).map((text) => (text === '' ? NaN : Number(text)));
    return numbers.every(Number.isFinite) ? numbers : [];
  }

  items(tag: number, most = 64): DicomAttributes[] {
    const element = this.elements.get(tag);
    const items: DicomAttributes[] = [];
    if (element === undefined) return items;
    eachItem(element.value, element.encoding, most, (from, to) => {
      items.push(DicomAttributes.within(element.value.subarray(from, to), element.encoding, this.unicode));
    });
    return items;
  }

  /** The tag of a private attribute in this data set, by the block that its creator has reserved (PS3.5 section 7.8). */
  privateTag({ group, creator, element }: PrivateAttribute): number | undefined {
    const first = group * 0x10000;
    for (const reservation of this.elements.keys()) {
      if (reservation <= first || reservation > first + 0xff) continue;
      const tag = first + (reservation - first) * 0x100 + element;
      if (this.elements.has(tag) && this.text(reservation)?.toUpperCase() === creator) return tag;
    }
    return undefined;
  }
}

/** Whether text is stored as UTF-8 (Specific Character Set). */
export function isUnicode(elements: ReadonlyMap<number, StoredElement>): boolean {
  return elements.get(TAG.characterSet)?.value.includes('ISO_IR 192') ?? false;
}

function binaryNumbers(value: Buffer, vr: string, big: boolean): number[] | undefined {
  switch (vr) {
    case 'US':
      return each(value, 2, (at) => (big ? value.readUInt16BE(at) : value.readUInt16LE(at)));
    case 'SS':
      return each(value, 2, (at) => (big ? value.readInt16BE(at) : value.readInt16LE(at)));
    case 'UL':
      return each(value, 4, (at) => (big ? value.readUInt32BE(at) : value.readUInt32LE(at)));
    case 'SL':
      return each(value, 4, (at) => (big ? value.readInt32BE(at) : value.readInt32LE(at)));
    case 'FL':
      return each(value, 4, (at) => (big ? value.readFloatBE(at) : value.readFloatLE(at)));
    case 'FD':
      return each(value, 8, (at) => (big ? value.readDoubleBE(at) : value.readDoubleLE(at)));
    case 'AT':
      return each(value, 4, (at) =>
        big ? value.readUInt32BE(at) : value.readUInt16LE(at) * 0x10000 + value.readUInt16LE(at + 2),
      );
    default:
      return undefined;
  }
}

function each(value: Buffer, bytes: number, read: (at: number) => number): number[] {
  return Array.from({ length: Math.min(Math.floor(value.length / bytes), MOST_VALUES) }, (_, index) => read(index * bytes));
}
