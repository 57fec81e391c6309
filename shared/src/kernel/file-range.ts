import { type FileHandle, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { FederationError } from './federation-error.js';

/** The bytes [from, to) of a file. */
export interface FileRange {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

export interface RangeHooks {
  /** Told after each piece that the system has taken. */
  readonly onSent?: ((bytes: number) => void) | undefined;
  /** Awaited before each piece of the given size: whoever sends may be asked to go slowly. */
  readonly beforePiece?: ((bytes: number) => Promise<void>) | undefined;
}

const PIECE_BYTES = 1 << 19;

/**
 * Sends a range of a file, reading the next piece while the last one goes out. Two buffers are all it takes, whatever the size, and
 * a slow receiver holds the reading back. Leaves the target open. Throws STORAGE_FAILED when the file is shorter than the range,
 * and what the target says when that breaks off.
 */
export async function sendFileRange(range: FileRange, target: Writable, hooks: RangeHooks = {}): Promise<void> {
  const brokenOff = breakingOff(target);
  const file = await open(range.path, 'r');
  try {
    let spare = { buffer: Buffer.allocUnsafeSlow(PIECE_BYTES), sent: Promise.resolve() };
    let current = { buffer: Buffer.allocUnsafeSlow(PIECE_BYTES), sent: Promise.resolve() };
    for (let position = range.from; position < range.to; position += PIECE_BYTES) {
      [current, spare] = [spare, current];
      await Promise.race([current.sent, brokenOff.promise]);
      const piece = current.buffer.subarray(0, Math.min(PIECE_BYTES, range.to - position));
      await readFully(file, piece, position);
      await hooks.beforePiece?.(piece.length);
      current.sent = write(target, piece).then(() => hooks.onSent?.(piece.length));
      current.sent.catch(() => undefined); // awaited a piece later
    }
    await Promise.race([Promise.all([current.sent, spare.sent]), brokenOff.promise]);
  } finally {
    brokenOff.forget();
    await file.close();
  }
}

function write(target: Writable, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    target.write(piece, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** A stream that is destroyed may never call back what it was given. */
function breakingOff(target: Writable): { promise: Promise<never>; forget: () => void } {
  let forget = (): void => undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    const onClose = (): void => reject(new FederationError('TRANSFER_BROKEN', 'the connection ended early'));
    target.on('close', onClose).on('error', reject);
    forget = () => void target.off('close', onClose).off('error', reject);
    if (target.destroyed) onClose();
  });
  promise.catch(() => undefined); // nobody may be waiting when it happens
  return { promise, forget };
}

async function readFully(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let filled = 0; filled < piece.length;) {
    const { bytesRead } = await file.read(piece, filled, piece.length - filled, position + filled);
    if (bytesRead === 0)
      throw new FederationError('STORAGE_FAILED', 'a file became shorter while it was sent', { retryable: false });
    filled += bytesRead;
  }
}
