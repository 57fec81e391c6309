import { malformedCheckpoint } from './checkpoint-fault.js';

/** Reads a pickle's bytes in order; every length is held against what is left before anything is made of it. */
export class PickleCursor {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.view.getUint8(this.advance(1));
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  uint64(): number {
    const value = this.view.getBigUint64(this.advance(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformedCheckpoint('states a length beyond any file');
    return Number(value);
  }

  /** The one big-endian number of the format. */
  float64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return Buffer.from(this.take(length)).toString('utf8');
  }

  /** Up to the next line feed, which is passed over. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw malformedCheckpoint('ends within its pickle');
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  /** A two's complement integer of so many bytes; a bigint where a number cannot hold it. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) throw malformedCheckpoint('has an integer that no checkpoint needs');
    let value = 0n;
    this.take(length).forEach((byte, index) => (value |= BigInt(byte) << BigInt(8 * index)));
    const signed = BigInt.asIntN(8 * length, value);
    const small = Number(signed);
    return Number.isSafeInteger(small) ? small : signed;
  }

  private advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.byteLength - start) throw malformedCheckpoint('ends within its pickle');
    this.position += length;
    return start;
  }
}

const LONGEST_INTEGER = 64;
