import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Digest, type DigestAlgorithm, openDigest, type RunningDigest } from './digest.js';
import { FederationError } from './federation-error.js';

/** Bytes that may wait for the disk before the source is held back. */
const QUEUE_BYTES = 1 << 20;

/** Bytes read at once to digest what was on disk before: small enough not to hold up the event loop. */
const CATCH_UP_BYTES = 1 << 20;

/**
 * The digest of a file that grows at its end. It outlives the file handle, so that a transfer in several requests is digested
 * once. Bytes that follow on what it has seen are digested as they come; whatever it missed is read from the file.
 */
export class FollowingDigest {
  private running: RunningDigest;
  private seen = 0;
  private finished: Digest | undefined;

  constructor(private readonly algorithm: DigestAlgorithm) {
    this.running = openDigest(algorithm);
  }

  /** How many of the file's first bytes it has digested. */
  get bytes(): number {
    return this.seen;
  }

  take(bytes: Uint8Array, position: number): void {
    if (position !== this.seen) return;
    this.running.update(bytes);
    this.seen += bytes.length;
  }

  /** To be called when the file has this size: begins anew unless what was digested can be continued. */
  continueAt(size: number): void {
    if (size === this.seen || (size > this.seen && this.finished === undefined)) return;
    this.running = openDigest(this.algorithm);
    this.seen = 0;
    this.finished = undefined;
  }

  /** The digest of what it has seen; nothing can be added afterwards. */
  finish(): Digest {
    return (this.finished ??= this.running.finish());
  }
}

/**
 * A file that grows at its end, written as bytes arrive and digested on the way. Its size is what has been accepted: bytes count
 * once the system has taken them, so they survive the end of this process, by whatever means. Only {@link GrowingFile.sync} makes
 * them survive a power cut.
 */
export class GrowingFile {
  private catchingUp: Promise<void> | undefined;
  private closing = false;

  private constructor(
    private readonly handle: FileHandle,
    private size: number,
    private readonly digest: FollowingDigest,
  ) {}

  /** Opens the file, or makes an empty one where there is none. The digest may have followed an earlier handle of the same file. */
  static async open(path: string, digest: FollowingDigest): Promise<GrowingFile> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const { size } = await handle.stat();
      digest.continueAt(size);
      return new GrowingFile(handle, size, digest);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.size;
  }

  /**
   * Writes what the source gives, at most `limit` bytes, and holds it back while the disk is slower. When the source breaks off,
   * what had arrived is written before the error is thrown; when the disk fails, the source is left paused.
   */
  append(source: Readable, limit: number, onWritten: (bytes: number) => void = () => undefined): Promise<void> {
    void this.catchUp().catch(() => undefined); // whoever asks for the digest tries again
    return new Promise((resolve, reject) => {
      const queue = new AppendQueue(this.handle, this.size, {
        onWritten: (batch, position) => onWritten(this.noteWritten(batch, position)),
        onRoom: () => source.resume(),
        onEnd: (failure) => {
          source.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onClose);
          source.on('error', () => undefined); // a connection may break again once nobody listens
          if (failure === undefined) resolve();
          else reject(failure);
        },
      });
      let left = limit;
      const onData = (bytes: Buffer): void => {
        if (bytes.length > left) return queue.end(tooMuch(limit));
        left -= bytes.length;
        if (!queue.add(bytes)) source.pause();
      };
      const onEnd = (): void => queue.end();
      const onBroken = (cause: Error): void => queue.end(FederationError.from(cause, 'TRANSFER_BROKEN'));
      const onClose = (): void => queue.end(new FederationError('TRANSFER_BROKEN', 'the connection ended early'));
      source.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onClose);
      if (source.destroyed) onClose();
    });
  }

  /** The digest of the whole file; reads only what has not been digested on its way. */
  async finish(): Promise<Digest> {
    await this.catchUp();
    return this.digest.finish();
  }

  /** Empties it, to begin anew. */
  async clear(): Promise<void> {
    if (this.size === 0) return;
    await this.handle.truncate(0);
    this.size = 0;
    this.digest.continueAt(0);
  }

  /** Returns when the bytes are on the disk itself. */
  async sync(): Promise<void> {
    await this.handle.sync();
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.catchingUp?.catch(() => undefined);
    await this.handle.close();
  }

  private noteWritten(batch: readonly Uint8Array[], position: number): number {
    let at = position;
    for (const bytes of batch) {
      this.digest.take(bytes, at);
      at += bytes.length;
    }
    this.size = at;
    return at - position;
  }

  private catchUp(): Promise<void> {
    this.catchingUp ??= this.readMissed().finally(() => (this.catchingUp = undefined));
    return this.catchingUp;
  }

  private async readMissed(): Promise<void> {
    if (this.digest.bytes === this.size) return;
    const buffer = Buffer.allocUnsafeSlow(CATCH_UP_BYTES);
    while (this.digest.bytes < this.size && !this.closing) {
      const position = this.digest.bytes;
      const { bytesRead } = await this.handle.read(buffer, 0, Math.min(buffer.length, this.size - position), position);
      if (bytesRead === 0) throw new FederationError('STORAGE_FAILED', 'a file became shorter while it was read');
      this.digest.take(buffer.subarray(0, bytesRead), position);
    }
  }
}

interface QueueHooks {
  readonly onWritten: (batch: readonly Uint8Array[], position: number) => void;
  readonly onRoom: () => void;
  /** Called once, when nothing is being written any more. */
  readonly onEnd: (failure: FederationError | undefined) => void;
}

/** Writes at a position that only grows: one write at a time, of everything that came while the last one went on. */
class AppendQueue {
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private isWriting = false;
  private isFull = false;
  private ending: { readonly failure: FederationError | undefined } | undefined;
  private hasEnded = false;

  constructor(
    private readonly handle: FileHandle,
    private position: number,
    private readonly hooks: QueueHooks,
  ) {}

  /** False when the source should pause until `onRoom`. */
  add(bytes: Uint8Array): boolean {
    if (this.ending !== undefined) return false;
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    this.writeNext();
    this.isFull = this.waitingBytes >= QUEUE_BYTES;
    return !this.isFull;
  }

  /** Nothing more comes; the first reason counts. What waits is still written. */
  end(failure?: FederationError): void {
    this.ending ??= { failure };
    this.endIfIdle();
  }

  private writeNext(): void {
    if (this.isWriting || this.waiting.length === 0) return;
    const batch = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    this.isWriting = true;
    this.handle.writev(batch, this.position).then(
      ({ bytesWritten }) => this.noteWritten(batch, bytesWritten),
      (cause: unknown) => this.fail(cause),
    );
    if (!this.isFull) return;
    this.isFull = false;
    if (this.ending === undefined) this.hooks.onRoom();
  }

  private noteWritten(batch: readonly Uint8Array[], bytesWritten: number): void {
    if (bytesWritten === 0) return this.fail(new FederationError('STORAGE_FAILED', 'the disk took no byte'));
    const [written, rest] = splitAt(batch, bytesWritten);
    const position = this.position;
    this.position += bytesWritten;
    this.isWriting = false;
    if (rest.length > 0) {
      // A disk that is nearly full takes a part; the next write says why.
      this.waiting = [...rest, ...this.waiting];
      this.waitingBytes += lengthOf(rest);
    }
    this.writeNext(); // before the digesting that onWritten does, so that the two go on side by side
    this.hooks.onWritten(written, position);
    this.endIfIdle();
  }

  private fail(cause: unknown): void {
    this.isWriting = false;
    this.waiting = [];
    this.ending = { failure: FederationError.from(cause, 'STORAGE_FAILED') };
    this.endIfIdle();
  }

  private endIfIdle(): void {
    if (this.ending === undefined || this.isWriting || this.waiting.length > 0 || this.hasEnded) return;
    this.hasEnded = true;
    this.hooks.onEnd(this.ending.failure);
  }
}

function splitAt(batch: readonly Uint8Array[], bytes: number): [Uint8Array[], Uint8Array[]] {
  const before: Uint8Array[] = [];
  const after: Uint8Array[] = [];
  let left = bytes;
  for (const part of batch) {
    if (left >= part.length) before.push(part);
    else if (left <= 0) after.push(part);
    else {
      before.push(part.subarray(0, left));
      after.push(part.subarray(left));
    }
    left -= part.length;
  }
  return [before, after];
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function tooMuch(limit: number): FederationError {
  return new FederationError('MESSAGE_REFUSED', 'more bytes came than were announced', { details: { limit } });
}
