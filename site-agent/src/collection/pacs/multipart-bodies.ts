/**
 * Answers of several parts, "multipart/related": RFC 2046 section 5.1, as DICOM PS3.18 section 8.6 uses it. Read piece by piece:
 * what is held at a time is one chunk of the network and a delimiter, however long the parts are.
 */
import { FederationError } from '@consilium/shared/kernel';

/** Bytes before the first part, and headers of one part, that are still believed. */
const MOST_PREAMBLE_BYTES = 65_536;
const MOST_HEADER_BYTES = 16_384;
/** Blanks that may follow a boundary on its line. */
const MOST_PADDING_BYTES = 64;
const MOST_BOUNDARY_BYTES = 256;

const LINE_END = Buffer.from('\r\n');
const HEADERS_END = Buffer.from('\r\n\r\n');
const SPACE = 0x20;
const TAB = 0x09;
const DASH = 0x2d;

/** The boundary that a Content-Type announces, or undefined when it announces no parts. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^\s*multipart\//i.test(contentType)) return undefined;
  const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
  return boundary !== undefined && boundary.length <= MOST_BOUNDARY_BYTES ? boundary : undefined;
}

/**
 * The bodies of the parts, in order; their headers are passed over, for nothing in them is to be believed: the boundary alone
 * decides where a part ends, whatever length it states. A body that is not read to its end is passed over.
 * TRANSFER_BROKEN when the closing boundary is missing, ARCHIVE_ANSWER_INVALID when there are no parts.
 */
export async function* multipartBodies(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<AsyncIterable<Buffer>> {
  const reader = new PartReader(source, boundary);
  while (await reader.openNext()) yield reader.body();
}

class PartReader {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly delimiter: Buffer;
  /** Begins with a line end, so that a delimiter at the very beginning is like any other. */
  private held: Buffer = LINE_END;
  private state: 'preamble' | 'body' | 'between' | 'closed' = 'preamble';

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.chunks = source[Symbol.asyncIterator]();
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Goes to the beginning of the next body; false after the last. */
  async openNext(): Promise<boolean> {
    let passed = 0;
    if (this.state === 'preamble' || this.state === 'body') {
      const isPreamble = this.state === 'preamble';
      for await (const piece of this.untilDelimiter()) {
        passed += piece.length;
        if (isPreamble && passed > MOST_PREAMBLE_BYTES) throw misunderstood('no part begins in its first 64 KiB');
      }
    }
    if (this.state === 'closed') return false;
    await this.passHeaders();
    this.state = 'body';
    return true;
  }

  async *body(): AsyncGenerator<Buffer> {
    if (this.state === 'body') yield* this.untilDelimiter();
  }

  private async *untilDelimiter(): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.held.indexOf(this.delimiter);
      if (at >= 0) {
        if (at > 0) yield this.take(at);
        const line = await this.delimiterLine();
        if (line !== undefined) {
          this.take(line.bytes);
          this.state = line.closes ? 'closed' : 'between';
          return;
        }
        yield this.take(1); // it only looked like one
        continue;
      }
      const certain = this.held.length - this.delimiter.length + 1;
      if (certain > 0) yield this.take(certain);
      await this.hold();
    }
  }

  /** The delimiter that the held bytes begin with, undefined when the line goes on differently. */
  private async delimiterLine(): Promise<{ bytes: number; closes: boolean } | undefined> {
    const from = this.delimiter.length;
    for (let at = from; at <= from + MOST_PADDING_BYTES; at++) {
      while (this.held.length < at + 2) await this.hold();
      const byte = this.held[at];
      if (at === from && byte === DASH && this.held[at + 1] === DASH) return { bytes: at + 2, closes: true };
      if (this.held.subarray(at, at + 2).equals(LINE_END)) return { bytes: at + 2, closes: false };
      if (byte !== SPACE && byte !== TAB) return undefined;
    }
    return undefined;
  }

  private async passHeaders(): Promise<void> {
    while (this.held.length < LINE_END.length) await this.hold();
    if (this.held.subarray(0, LINE_END.length).equals(LINE_END)) return void this.take(LINE_END.length);
    for (;;) {
      const at = this.held.indexOf(HEADERS_END);
      if (at > MOST_HEADER_BYTES || (at < 0 && this.held.length > MOST_HEADER_BYTES)) {
        throw misunderstood('the headers of a part do not end');
      }
      if (at >= 0) return void this.take(at + HEADERS_END.length);
      await this.hold();
    }
  }

  private take(bytes: number): Buffer {
    const taken = this.held.subarray(0, bytes);
    this.held = this.held.subarray(bytes);
    return taken;
  }

  private async hold(): Promise<void> {
    const next = await this.chunks.next();
    if (next.done === true) throw cutShort();
    this.held = this.held.length === 0 ? Buffer.from(next.value) : Buffer.concat([this.held, next.value]);
  }
}

function cutShort(): FederationError {
  return new FederationError('TRANSFER_BROKEN', 'the archive’s answer ends before its closing boundary');
}

function misunderstood(reason: string): FederationError {
  return new FederationError('ARCHIVE_ANSWER_INVALID', `the archive’s answer cannot be understood: ${reason}`);
}
