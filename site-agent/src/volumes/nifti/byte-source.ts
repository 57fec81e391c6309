import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { unreadable } from '../volume-fault.js';

/** Bytes that can be read at any position: a file, or memory. */
export interface ByteSource {
  readonly bytes: number;
  /** The first bytes, at most {@link START_BYTES}; fewer when there are fewer. */
  readonly start: Uint8Array;
  /** Fills the target from a position; returns how many bytes there were, fewer than asked for only at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Enough to inflate a header from, however badly it was compressed. */
const START_BYTES = 1024;

export function isCompressed({ start }: ByteSource): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Opens a regular file; a folder, pipe or device, which could hang or never end, is refused. */
export async function openFile(path: string): Promise<ByteSource> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe without a writer must not block
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw unreadable('not a regular file');
    if (facts.size === 0) throw unreadable('the file is empty');
    const read = async (target: Uint8Array, position: number): Promise<number> => {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await file.read(target, filled, target.length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    };
    const start = Buffer.allocUnsafe(Math.min(START_BYTES, facts.size));
    const length = await read(start, 0);
    return { bytes: facts.size, start: start.subarray(0, length), read, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The same for bytes in memory. */
export function memorySource(content: Uint8Array): ByteSource {
  if (content.length === 0) throw unreadable('the file is empty');
  return {
    bytes: content.length,
    start: content.subarray(0, START_BYTES),
    read: (target, position) => {
      const part = content.subarray(position, position + target.length);
      target.set(part);
      return Promise.resolve(part.length);
    },
    close: () => Promise.resolve(),
  };
}
