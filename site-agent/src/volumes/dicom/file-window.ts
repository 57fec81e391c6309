import {
  BYTES_SHORT,
  type ElementHeader,
  type Encoding,
  endOfElement,
  readElementHeader,
  UNDEFINED_LENGTH,
} from './dicom-elements.js';
import type { DicomFile } from './dicom-file.js';

/** What is read at a time after the first piece. */
export const NEXT_READ_BYTES = 256 * 1024;

/** One piece of a DICOM file at a time; positions are those in the file. */
export class FileWindow {
  bytes: Buffer = Buffer.alloc(0);
  private base = 0;

  constructor(private readonly file: DicomFile) {}

  get fileBytes(): number {
    return this.file.sizeBytes;
  }

  /** Makes the piece hold these bytes, if the file has them. */
  async reach(start: number, lengthBytes: number): Promise<boolean> {
    if (!this.holds(start, lengthBytes) && !(start >= this.base && this.reachesEnd())) {
      const wish = this.bytes.length === 0 ? lengthBytes : Math.max(lengthBytes, NEXT_READ_BYTES);
      this.bytes = await this.file.read(start, wish);
      this.base = start;
    }
    return this.holds(start, lengthBytes);
  }

  holds(start: number, lengthBytes: number): boolean {
    return start >= this.base && start + lengthBytes <= this.base + this.bytes.length;
  }

  reachesEnd(): boolean {
    return this.base + this.bytes.length >= this.file.sizeBytes;
  }

  forget(): void {
    this.bytes = Buffer.alloc(0);
    this.base = 0;
  }

  tagAt(position: number, { bigEndian }: Encoding): number {
    const at = position - this.base;
    const [group, element] = bigEndian
      ? [this.bytes.readUInt16BE(at), this.bytes.readUInt16BE(at + 2)]
      : [this.bytes.readUInt16LE(at), this.bytes.readUInt16LE(at + 2)];
    return group * 0x10000 + element;
  }

  elementAt(position: number, encoding: Encoding): ElementHeader | undefined {
    const element = readElementHeader(this.bytes, position - this.base, encoding);
    return element === undefined ? undefined : { ...element, start: element.start + this.base };
  }

  endOf(element: ElementHeader, encoding: Encoding): number {
    if (element.length !== UNDEFINED_LENGTH) return element.start + element.length;
    const end = endOfElement(this.bytes, { ...element, start: element.start - this.base }, encoding);
    return end === BYTES_SHORT ? BYTES_SHORT : end + this.base;
  }

  bytesFrom(position: number): Buffer {
    return this.bytes.subarray(position - this.base);
  }

  between(from: number, to: number): Buffer {
    return this.bytes.subarray(from - this.base, to - this.base);
  }
}
