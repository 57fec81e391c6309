import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { unreadable } from '../volume-fault.js';

/** What a deflated file may become. */
const MOST_INFLATED_BYTES = 512 * 1024 * 1024;
const MOST_DEFLATED_BYTES = 256 * 1024 * 1024;
const inflate = promisify(inflateRaw);

/** Bytes of one DICOM file, read where they are wanted. Close it when done. */
export class DicomFile {
  private handle: FileHandle | undefined;
  private content: Buffer | undefined;

  private constructor(
    handle: FileHandle | undefined,
    content: Buffer | undefined,
    private size: number,
    /** When the file was last changed. */
    readonly changedMs: number,
  ) {
    this.handle = handle;
    this.content = content;
  }

  static async open(path: string): Promise<DicomFile> {
    const handle = await open(path, 'r');
    try {
      const { size, mtimeMs } = await handle.stat();
      return new DicomFile(handle, undefined, size, mtimeMs);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.size;
  }

  get isInflated(): boolean {
    return this.content !== undefined;
  }

  /** A copy of the bytes from `start`; fewer than asked for where the file ends. */
  async read(start: number, lengthBytes: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(lengthBytes, this.size - start));
    if (this.content !== undefined) return Buffer.from(this.content.subarray(start, start + length));
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length && this.handle !== undefined) {
      const { bytesRead } = await this.handle.read(bytes, filled, length - filled, start + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  /** Replaces what follows `start` by what it inflates to (PS3.5 section A.5). Positions before `start` stay what they are. */
  async inflateFrom(start: number): Promise<void> {
    if (this.size - start > MOST_DEFLATED_BYTES) throw unreadable('the deflated data set is larger than this program inflates');
    const head = await this.read(0, start);
    const deflated = await this.read(start, this.size - start);
    this.content = Buffer.concat([head, await inflateBounded(deflated)]);
    this.size = this.content.length;
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }
}

async function inflateBounded(deflated: Buffer): Promise<Buffer> {
  try {
    return await inflate(deflated, { maxOutputLength: MOST_INFLATED_BYTES });
  } catch (error) {
    throw unreadable('the deflated data set is damaged, or larger than this program inflates', error);
  }
}
